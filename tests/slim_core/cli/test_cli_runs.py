"""slim runs, slim stop, slim retry, slim delete and slim queue front, as people type them."""

from __future__ import annotations

import re
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from slim_core.cli.kit.console import clock
from slim_core.steps.specs import STEPS, EvaluateSpec, GradcamSpec, TrainSpec
from slim_core.store import Dataset, Run, Store, schema
from slim_core.store.workers import Heartbeat
from tests.killed import killed_at
from tests.refusals import missing
from tests.slim_core.cli.commands import said, slim
from tests.slim_core.store.store_makers import image_table, imported


@pytest.fixture
def dataset(store: Store, tmp_path) -> Dataset:
    """A registered data set of 50 images."""
    return store.datasets.register(imported(image_table(tmp_path / "images")))


def train(store: Store, dataset: Dataset, seed: int = 0) -> Run:
    return store.runs.submit(TrainSpec(dataset=dataset.id, model="small-resnet", seed=seed))[0]


def maps_of(store: Store, model: Run) -> Run:
    return store.runs.submit(GradcamSpec(dataset=model.dataset_id, model=model.id))[0]


def fail(store: Store, run: Run) -> None:
    store.attempts.fail(run.id, store.attempts.claim(run.id, "w", "cpu"), "No memory.")


def statuses(store: Store, *runs: Run) -> list[str]:
    return [store.runs.fetch(run.id).status for run in runs]


def test_a_failed_run_is_queued_again_with_what_waited_for_it(store: Store, dataset: Dataset, capsys):
    model = train(store, dataset)
    maps = maps_of(store, model)
    fail(store, model)
    assert slim("retry", model.id) == 0
    told = said(capsys)
    assert f"queued again train {model.id}" in told and f"for it: {maps.id}" in told
    assert "python -m workers`" in told
    assert statuses(store, model, maps) == ["queued", "queued"]
    event = store.events.recent(1, subject=model.id)[0]
    assert (event.what, event.who) == ("run.retried", "command line")


def test_several_are_retried_parents_first_whatever_their_order(store: Store, dataset: Dataset, capsys):
    model, other = train(store, dataset), train(store, dataset, seed=1)
    maps = maps_of(store, model)
    store.attempts.request_stop(maps.id)
    fail(store, model)
    fail(store, other)
    store.workers.beat(Heartbeat("w", host="h", pid=1, device="cpu", queues=["gpu"]))
    store.queue.pause("ann")
    assert slim("retry", maps.id, other.id, model.id, maps.id) == 0
    told = said(capsys)
    assert told.count("queued again") == 3 and "No workers" not in told
    assert "ann paused the queue" in told and "slim queue resume" in told
    assert statuses(store, model, maps, other) == ["queued"] * 3


def test_one_that_goes_with_another_is_not_refused(store: Store, dataset: Dataset, capsys):
    model = train(store, dataset)
    maps = maps_of(store, model)
    fail(store, model)
    assert slim("retry", model.id, maps.id) == 0
    assert said(capsys).count("queued again") == 1


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("done", "is done"),
        ("queued", "is queued"),
        ("running", "is running"),
    ],
)
def test_what_cannot_be_retried_is_refused_with_what_to_do(
    store: Store, dataset: Dataset, status: str, sentence: str, capsys
):
    run, other = train(store, dataset), train(store, dataset, seed=1)
    fail(store, other)
    if status != "queued":
        token = store.attempts.claim(run.id, "w", "cpu")
        if status == "done":
            store.attempts.finish(run.id, token, {})
    assert slim("retry", run.id, other.id) == 2
    told = said(capsys)
    assert f"Run {run.id} {sentence}" in told and f"queued again train {other.id}" in told, "the others go on"
    assert statuses(store, run, other) == [status, "queued"]


def test_where_nothing_is_queued_again_no_worker_is_asked_for(store: Store, dataset: Dataset, capsys):
    run, other = train(store, dataset), train(store, dataset, seed=1)
    store.attempts.finish(run.id, store.attempts.claim(run.id, "w", "cpu"), {})
    assert slim("retry", run.id) == 2
    assert "No workers online" not in said(capsys)
    fail(store, other)
    assert slim("retry", other.id) == 0
    assert "No workers online" in said(capsys)


def test_a_run_whose_parent_has_failed_names_the_parent(store: Store, dataset: Dataset, capsys):
    model = train(store, dataset)
    maps = maps_of(store, model)
    fail(store, model)
    assert slim("retry", maps.id) == 2
    assert f"parent {model.id} has failed" in said(capsys)


@pytest.mark.parametrize("command", ["retry", "stop", "delete"])
def test_a_run_that_is_not_there_is_refused_before_any_other_is_changed(
    store: Store, dataset: Dataset, command: str, capsys
):
    model = train(store, dataset)
    if command != "stop":
        fail(store, model)
    before = store.runs.fetch(model.id)
    assert slim(command, model.id, "r-none") == 2
    assert "is no run r-none: the Jobs page" in said(capsys)
    assert store.runs.fetch(model.id) == before


def test_a_waiting_run_stops_at_once_and_a_running_one_is_asked(store: Store, dataset: Dataset, capsys):
    waiting, running = train(store, dataset), train(store, dataset, seed=1)
    maps = maps_of(store, waiting)
    store.attempts.claim(running.id, "w", "cpu")
    assert slim("stop", waiting.id, running.id, maps.id) == 0
    told = said(capsys)
    assert f"stopped train {waiting.id}" in told and f"stops within seconds train {running.id}" in told
    assert f"to resume it: slim retry {running.id}" in told
    assert statuses(store, waiting, running, maps) == ["canceled", "stopping", "canceled"]
    assert store.runs.fetch(waiting.id).message == "Stopped by command line before it started."
    assert slim("stop", waiting.id) == 2
    assert f"Run {waiting.id} is stopped" in said(capsys)


@pytest.mark.parametrize(
    ("command", "sentence", "status"), [("stop", "stopped", "canceled"), ("retry", "queued again", "queued")]
)
def test_a_run_whose_process_was_killed_is_said_to_have_no_heartbeat_and_is_stopped_or_queued_again(
    store: Store, dataset: Dataset, command: str, sentence: str, status: str, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "200")
    alive, lost = (train(store, dataset, seed) for seed in range(2))
    store.attempts.claim(alive.id, "w", "cpu")
    killed = Store.open(store.settings.model_copy(update={"lease_s": 0.001}))
    killed.attempts.claim(lost.id, "w", "cpu")
    killed.close()
    while store.attempts.overdue() != [lost.id]:
        time.sleep(0.01)
    assert slim("runs") == 0
    told = said(capsys)
    assert told.count("│ no heartbeat │") == 1 and told.count("│ running │") == 1
    assert "no heartbeat: the process that" in told
    assert slim("runs", lost.id) == 0 and f"{lost.name}: no heartbeat." in said(capsys)
    assert slim(command, lost.id) == 0
    assert f"{sentence} train {lost.id}" in said(capsys)
    assert statuses(store, alive, lost) == ["running", status]
    assert slim("runs") == 0 and "no heartbeat" not in said(capsys)


def test_a_pass_in_shards_is_listed_with_the_seconds_of_all_of_it(store: Store, dataset: Dataset, capsys):
    model = train(store, dataset)
    many = Store.open(store.settings)
    many.runs.shard_images = 20
    spec = GradcamSpec(dataset=dataset.id, model=model.id, batch_size=4)
    whole, began = many.runs.submit(spec)[0], datetime(2026, 3, 1, 9, tzinfo=UTC)
    ids = [*(shard.id for shard in many.runs.shards(whole.id)), whole.id]
    with many.database.write() as connection:
        for at, run_id in enumerate(ids):
            times = {"started_at": began + timedelta(seconds=at), "finished_at": began + timedelta(seconds=at + 1)}
            values = {**times, "seconds": 1.0, "status": "done"}
            connection.execute(schema.runs.update().where(schema.runs.c.id == run_id).values(values))
    many.close()
    assert slim("runs", "--kind", "gradcam") == 0
    assert re.search(rf"{whole.id} .* done .*{len(ids):.1f}", said(capsys)), "not the one of its merge"


def test_a_run_is_deleted_once_it_was_said_what_goes(store: Store, dataset: Dataset, capsys, monkeypatch):
    model = train(store, dataset)
    maps = maps_of(store, model)
    judged, _ = store.runs.submit(EvaluateSpec(dataset=dataset.id, model=model.id))
    fail(store, model)
    assert slim("delete", model.id, "--yes") == 2
    told = said(capsys)
    assert f"Run {model.id} was used by" in told and "slim delete --cascade`)" in told
    assert slim("delete", model.id, "--cascade") == 2
    told = said(capsys)
    assert "with 2 runs made from it" in told and maps.id in told and judged.id in told
    assert not missing(told, f"Run {model.id} was not", "--yes")
    assert len(store.runs.all()) == 3
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda question: question != "Delete them?")
    assert slim("delete", model.id, "--cascade") == 2
    assert f"Run {model.id} was not deleted." in said(capsys)
    assert slim("delete", maps.id, model.id, "--cascade", "--yes") == 0
    assert store.runs.all() == []


def test_what_a_killed_deletion_has_left_goes_with_the_next_one(store: Store, dataset: Dataset, capsys):
    model = train(store, dataset)
    maps = maps_of(store, model)
    fail(store, model)
    folders = [store.artifacts.checkpoints(each.id).parent for each in (model, maps)]
    killed_at("os.rename", lambda *_: True, lambda: store.runs.delete(model.id, cascade=True))
    assert store.runs.all() == [] and all(folder.exists() for folder in folders)
    assert slim("delete", model.id, "--cascade", "--yes") == 2 and "was deleted" in said(capsys)
    assert not any(folder.exists() for folder in folders)


def test_of_several_runs_the_one_that_stays_is_named(store: Store, dataset: Dataset, capsys, monkeypatch):
    first, second = train(store, dataset), train(store, dataset, 1)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    answers = iter([True, False])
    monkeypatch.setattr("typer.confirm", lambda _question: next(answers))
    assert slim("delete", first.id, second.id) == 2
    (kept,) = store.runs.all()
    told = said(capsys)
    assert f"Run {kept.id} was not deleted." in told and "Nothing was deleted" not in told


def test_runs_that_go_with_another_are_not_deleted_twice(store: Store, dataset: Dataset, capsys):
    model = train(store, dataset)
    maps = maps_of(store, model)
    fail(store, model)
    assert slim("delete", model.id, maps.id, "--cascade", "--yes") == 0
    assert said(capsys).count("deleted") == 1


def test_runs_that_are_named_together_are_deleted_in_an_order_that_is_possible(store: Store, dataset: Dataset, capsys):
    model = train(store, dataset)
    maps = maps_of(store, model)
    fail(store, model)
    assert slim("delete", model.id, maps.id, "--yes") == 0
    assert said(capsys).count("deleted") == 2 and store.runs.all() == []


def test_a_waiting_run_is_placed_before_all_others(store: Store, dataset: Dataset, capsys):
    runs = [train(store, dataset, seed) for seed in range(3)]
    assert slim("queue", "front", runs[2].id) == 0
    assert f"next train {runs[2].id}" in said(capsys)
    assert [one.id for one in store.queue.waiting()] == [runs[2].id, runs[0].id, runs[1].id]
    store.attempts.claim(runs[2].id, "w", "cpu")
    assert slim("queue", "front", runs[2].id) == 2
    assert "is running by now: only" in said(capsys)


def test_the_end_of_a_log_is_printed_below_what_became_of_the_run(store: Store, dataset: Dataset, capsys):
    run = train(store, dataset)
    assert slim("runs", run.id) == 0
    assert not missing(said(capsys), f"train {run.id} {run.name}: queued", "no log")
    token = store.attempts.claim(run.id, "w", "cpu")
    (store.artifacts.attempt(run.id, 1) / "log.txt").write_text("one\ntwo [bold]\nthree \x1b[2J\n")
    store.attempts.fail(run.id, token, "No memory.")
    assert slim("runs", run.id, "--limit", 2) == 0
    printed = capsys.readouterr()
    assert printed.out == "two [bold]\nthree \\x1b[2J\n"
    assert printed.err == f"train {run.id} {run.name}: failed. No memory.\n"
    assert slim("runs", run.id, "--limit", 0) == 2
    assert "--limit is 0: give 1 or" in said(capsys)


def test_the_help_of_runs_names_each_kind_there_is(capsys):
    assert slim("runs", "--help") == 0
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert f"{', '.join(STEPS)}." in told


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("runs",), "slim train --data"),
        (("runs", "--kind", "curate"), "No runs of curate."),
        (("datasets",), "slim import FOLDER"),
    ],
)
def test_an_empty_list_says_what_fills_it(command: tuple[str, ...], sentence: str, store: Store, capsys):
    assert slim(*command) == 0
    assert sentence in said(capsys)


@pytest.mark.parametrize(("zone", "hour"), [("UTC0", "12:30"), ("EST5", "07:30"), ("IST-5:30", "18:00")])
def test_times_are_those_of_the_clock_of_this_machine(zone: str, hour: str, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert clock(datetime(2026, 11, 30, 12, 30, tzinfo=UTC)) == f"2026-11-30 {hour}"
    finally:
        monkeypatch.undo()
        time.tzset()
