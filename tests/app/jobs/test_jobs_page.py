"""Jobs, empty, filled and failing."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import Redis
from sqlalchemy.engine import Connection
from streamlit.testing.v1 import AppTest

from app import session
from app.jobs import all_runs, one_run, queue
from app.jobs.about import read
from app.services import actions
from app.session import Viewer
from app.ui import progress
from app.ui.messages import prose
from slim_core.errors import ForbiddenError, QueueUnavailableError
from slim_core.settings import settings
from slim_core.steps.specs import parse_spec
from slim_core.store import Run, Store, schema
from slim_core.store.members import Role
from slim_core.store.workers import Heartbeat
from slim_core.version import code_version
from tests.app.conftest import cells, linked_runs, table_lines, texts
from tests.app.own_redis import redis_at
from tests.refusals import missing
from workers import local
from workers.queue import Queue

pytestmark = pytest.mark.usefixtures("filled_home")


def said(app) -> str:
    """Every sentence on the page."""
    kinds = (app.markdown, app.caption, app.info, app.warning, app.error, app.subheader, app.code)
    return "\n".join(one.value for kind in kinds for one in kind)


def submitted(force: bool = True, **fields: Any) -> Run:
    """A new run like the newest training."""
    store = session.store()
    spec = parse_spec({**store.runs.all(kind="train")[-1].spec, **fields})
    return store.runs.submit(spec, by="tests", force=force)[0]


def newest(kind: str) -> Run:
    return session.store().runs.all(kind=kind)[0]


@pytest.mark.parametrize("full", [True, False])
def test_a_full_disk_is_not_taken_for_workers_that_are_missing(show, monkeypatch, full: bool) -> None:
    monkeypatch.setattr(Queue, "silence", lambda _queue: None)
    monkeypatch.setattr("workers.queue._LITTLE_SPACE", 2**62 if full else 0)
    run = submitted()
    try:
        told, reason = said(show("jobs")), str(session.queue().view().waits_for(run.id))
    finally:
        session.store().attempts.request_stop(run.id)
    assert ("are left on" in told, "No workers online" in told) == (full, not full)
    assert ("free some space" in reason, "start one" in reason) == (full, not full)


def test_nobody_is_told_to_start_a_worker_while_the_dashboard_is_starting_its_own(show, monkeypatch) -> None:
    monkeypatch.setattr(Queue, "silence", lambda _queue: None)
    monkeypatch.setattr("workers.queue._LITTLE_SPACE", 0)
    monkeypatch.setitem(local._due, settings().home.resolve(), time.monotonic() + 60)
    run = submitted()
    try:
        told, waits = said(show("jobs")), progress.text(run)
        assert "dashboard are starting." in told and "No workers online" not in told
        assert waits.endswith("a worker")
        monkeypatch.setitem(local._due, settings().home.resolve(), time.monotonic() - 1)
        assert "No workers online" in said(show("jobs")) and progress.text(run).endswith("no workers online")
    finally:
        session.store().attempts.request_stop(run.id)


def test_nobody_is_told_to_start_a_worker_that_could_not_start_without_redis(show, monkeypatch) -> None:
    monkeypatch.setenv("SLIM_REDIS_URL", "redis://127.0.0.1:1/0")  # nothing listens there
    settings.cache_clear()
    run = submitted()
    try:
        told = said(show("jobs"))
    finally:
        session.store().attempts.request_stop(run.id)
    assert "redis://127.0.0.1:1/0" in told
    assert "python -m workers" not in told and "start while Redis" in told


def test_every_run_is_listed_with_its_status_newest_first(show) -> None:
    app = show("jobs")
    rows = cells(app, "Runs")
    assert {row[2] for row in rows} == {"✓ done"}
    assert [row[-1] for row in rows] == [run.id for run in session.store().runs.all()]
    assert linked_runs(app, "Runs") == [row[-1] for row in rows]


@pytest.mark.parametrize(
    ("params", "kinds"),
    [
        ({"kind": "space"}, {"Attention space"}),
        ({"q": "retrained"}, {"Training", "Evaluation"}),
        ({"status": "failed"}, None),
    ],
)
def test_filters_come_from_the_address(show, params: dict[str, str], kinds: set[str] | None) -> None:
    app = show("jobs", **params)
    if kinds is None:
        assert "matches these filters" in said(app)
    else:
        assert {row[1] for row in cells(app, "Runs")} == kinds


def test_a_stopped_run_is_called_so_in_list_and_filter_while_its_address_keeps_the_value(show) -> None:
    run = submitted(seed=7)
    session.store().attempts.request_stop(run.id, by="ann")
    app = show("jobs", status="canceled")
    assert [(row[2], row[-1]) for row in cells(app, "Runs")] == [("– stopped", run.id)]
    box = app.multiselect(key="history-status")
    assert "stopped" in box.options and app.query_params["status"] == "canceled"
    box.set_value(["done"]).run()
    assert {row[2] for row in cells(app, "Runs")} == {"✓ done"} and app.query_params["status"] == "done"
    app.query_params["status"] = "canceled"  # a press that the browser sent before it heard of the choice
    app.run()
    assert {row[2] for row in cells(app, "Runs")} == {"✓ done"} and app.query_params["status"] == "done"
    app.multiselect(key="history-status").set_value([]).run()
    assert "status" not in app.query_params and run.id in {row[-1] for row in cells(app, "Runs")}
    assert app.multiselect(key="history-status"), "the filters stay when the last one is cleared"


def test_pages_are_fetched_one_at_a_time(show) -> None:
    for seed in range(30):
        store, run = session.store(), submitted(seed=100 + seed)
        store.attempts.finish(run.id, store.attempts.claim(run.id, "w", "cpu"), {})
    app = show("jobs")
    n = len(store.runs.all())
    assert len(cells(app, "Runs")) == 25
    assert f"1 to 25 of {n} runs" in said(app)
    second = show("jobs", p="2")
    assert len(cells(second, "Runs")) == n - 25
    assert "1 to 1 of 1 run" in [one.value for one in show("jobs", q=run.id).caption]


def test_a_link_opens_a_run_with_its_log_numbers_and_parameters(show) -> None:
    run = newest("evaluate")
    app = show("jobs", run=run.id)
    assert run.id in said(app)
    assert "slim_core.runs.execute" in app.code[-1].value
    assert {"Worst group", "Average"} <= {metric.label for metric in app.metric}
    assert {"Computing time", "Peak memory"} <= {row[0] for row in cells(app, "About this run")}
    assert run.spec["model"] in linked_runs(app, "Parameters")


def test_what_differs_from_the_defaults_is_marked_with_what_it_would_have_been(show) -> None:
    run = submitted(lr=0.123)
    rows = {row[0]: row for row in cells(show("jobs", run=run.id), "Parameters")}
    assert rows["● lr"][1:3] == ["0.123", "0.05"]
    assert rows["optimizer"][2] == ""


@pytest.mark.parametrize("kind", ["train", "gradcam", "space", "curate", "evaluate"])
def test_every_tab_of_every_kind_of_run_opens(show, kind: str) -> None:
    run = newest(kind)
    graph = show("jobs", run=run.id, about="Lineage")
    assert run.id in graph.get("graphviz_chart")[0].proto.spec
    happened = cells(show("jobs", run=run.id, about="What happened"), "What happened")
    assert [row[2] for row in happened][0].endswith("submitted it")
    assert happened[-1][2] == "done"
    environment = dict(cells(show("jobs", run=run.id, about="Environment"), "Environment"))
    assert {"python", "torch", "code version"} <= environment.keys()


def test_what_changed_between_two_runs_is_a_table(show) -> None:
    first, second = session.store().runs.all(kind="evaluate")[:2]
    params = {"run": first.id, "about": "What changed", "with": second.id}
    app = show("jobs", **params)
    titles = table_lines(app, "What changed")[0]
    assert second.id in titles[2] and first.id in titles[3]
    rows = cells(app, "What changed")
    assert ["input", "model", second.spec["model"], first.spec["model"], ""] in rows
    assert {row[0] for row in rows} >= {"input", "result"}


def test_a_running_run_comes_first_with_its_progress_and_can_be_stopped_after_asking(show) -> None:
    store, run = session.store(), submitted()
    token = store.attempts.claim(run.id, "worker-1", "cpu")
    progress = {"done": 300, "total": 600, "phase": "train", "epoch": 2, "epochs": 4, "train_loss": 0.25}
    store.attempts.progress(run.id, token, progress | {"images_per_s": 1234.0, "seconds_left": 75.0})
    app = show("jobs")
    bar = app.get("progress")[0].proto
    assert bar.value == 50
    assert bar.text == "train · epoch 2 of 4 · 300 of 600 images · loss 0.250 · 1,234 images/s · 1 min 15 s left"
    app.button(key=f"stop-{run.id}").click().run()
    assert not app.exception
    assert store.runs.fetch(run.id).status == "stopping"


def test_a_pass_in_shards_is_listed_with_the_time_of_all_of_it(show) -> None:
    """The row of the pass itself has the seconds of its merge."""
    known, began = newest("gradcam"), datetime(2026, 3, 1, 9, tzinfo=UTC)
    store = Store.open(session.store().settings)
    store.runs.shard_images = 300
    run, _ = store.runs.submit(parse_spec(known.spec), force=True)
    with store.database.write() as connection:
        for at, shard in enumerate(store.runs.shards(run.id)):
            _took(connection, shard.id, began, at, at + 30)
        _took(connection, run.id, began, 31, 32)
    store.close()
    app = show("jobs")
    assert [row[5] for row in cells(app, "Runs") if row[-1] == run.id] == ["32 min 00 s"], "not the merge's"
    app = show("jobs", run=run.id)
    facts = dict(cells(app, "About this run"))
    assert (facts["Time"], facts["Computing time"], facts["Waited"]) == ("32 min 00 s", "1 h 01 min", "0 s")
    assert "It finished after 1 h 01 min of computing" in said(app)


def _took(connection: Connection, run_id: str, began: datetime, start: int, end: int) -> None:
    """As if it was at work from one minute to another."""
    times = {"started_at": began + timedelta(minutes=start), "finished_at": began + timedelta(minutes=end)}
    values = {**times, "queued_at": began, "seconds": 60.0 * (end - start), "status": "done", "attempt": 1}
    connection.execute(schema.runs.update().where(schema.runs.c.id == run_id).values(values))


def test_a_run_that_is_opened_from_its_line_is_in_the_address(show) -> None:
    store, run = session.store(), submitted()
    store.attempts.claim(run.id, "worker-1", "cpu")
    app = show("jobs")
    app.button(key=f"link-jobs-Open-{run.id}").click().run()
    assert not app.exception
    assert app.query_params["run"] == run.id, "a reload, or Stop, stays at the run"


def test_waiting_runs_tell_their_place_and_a_lead_moves_one_to_the_front(show) -> None:
    runs = [submitted(), submitted(), submitted()]
    store = session.store()
    store.workers.beat(Heartbeat("w", host="h", pid=1, device="cpu", queues=("gpu", "cpu"), version=code_version()))
    app = show("jobs")
    assert "is next in" in said(app) and "It is number 3 in the queue" in said(app)
    assert app.button(key=f"front-{runs[0].id}").disabled
    app.button(key=f"front-{runs[2].id}").click().run()
    assert store.queue.waiting()[0].id == runs[2].id
    app.button(key=f"stop-{runs[1].id}").click().run()
    assert store.runs.fetch(runs[1].id).status == "canceled"


def test_a_waiting_run_names_what_it_waits_for_as_people_have_named_it(show) -> None:
    store, parent = session.store(), submitted()
    child, _ = store.runs.submit(parse_spec({"kind": "gradcam", "dataset": parent.dataset_id, "model": parent.id}))
    name = "the *baseline*, with a name that nobody would ever want to read to its end"
    store.notes.write(parent.id, name=name, text="", tags=[])
    waits = f"Waiting for the \\*baseline\\*, with a nam…o read to its end ({parent.id}), which is queued."
    assert waits in texts(show("jobs"))
    assert waits in texts(show("jobs", run=child.id))


def test_a_viewer_may_look_and_change_nothing(show, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [submitted(), submitted()]
    changes = {f"{what}-{run.id}" for what in ("front", "stop") for run in runs}
    assert changes <= {one.key for one in show("jobs").button}
    monkeypatch.setattr(session, "viewer", lambda: Viewer("visitor", "viewer"))
    assert not changes & {one.key for one in show("jobs").button}, "a poll would take the refusal away"
    for change in (actions.move_to_front, actions.stop):
        with pytest.raises(ForbiddenError, match="requires the role lead"):
            change(runs[1].id)
    assert session.store().runs.all(status="queued")[::-1] == runs


def test_workers_are_listed_with_their_gpu_their_run_and_their_code(show) -> None:
    store, run = session.store(), submitted()
    gpu = {"name": "H100", "load_percent": 93, "temperature_c": 88, "memory_used_mb": 40960, "memory_mb": 81920}
    told = {"host": "box", "pid": 7, "queues": ("gpu",)}
    store.workers.beat(Heartbeat("new", device="cuda:0", current_run=run.id, load=gpu, version=code_version(), **told))
    store.workers.beat(Heartbeat("old", device="cpu", version="0.0.1/0001", **told))
    store.workers.beat(Heartbeat("silent", device="cpu", **told))
    app = show("jobs")
    rows = {row[0]: row for row in cells(app, "Workers")}
    assert {"93 %", "40.0 of 80 GB", "88 °C", run.id} <= set(rows["new"])
    assert "0.0.1/0001" in rows["old"][-1]
    assert rows["new"][-1] == code_version() and rows["silent"][-1] == "starting"


@pytest.mark.parametrize(("role", "place"), [("lead", "SLIM_HOME"), ("admin", None)])
def test_workers_without_room_say_so_and_so_does_a_run_that_waits_for_one(
    show, filled_home: Path, as_person, monkeypatch: pytest.MonkeyPatch, role: Role, place: str | None
) -> None:
    monkeypatch.setattr(Queue, "silence", lambda _queue: None)
    run, store = submitted(), session.store()
    for name in ("full", "empty"):
        store.workers.beat(Heartbeat(name, host="box", pid=7, device="cpu", queues=("gpu",), version=code_version()))
    store.members.set_role("ann@example.org", role)
    as_person("ann@example.org")
    why = f"the disk of {filled_home.resolve()} has 9 MB and needs 50 MB."
    shown = why.replace(str(filled_home.resolve()), place or str(filled_home.resolve()))
    store.workers.block("full", why)
    app = show("jobs")
    assert [prose(f"on full: {shown}") in one.value for one in app.error] == [True]
    assert {row[0]: row[3] for row in cells(app, "Workers")} == {"full": "disk full", "empty": "free"}
    assert "is next in" in said(app)
    store.workers.block("empty", why)
    app = show("jobs")
    assert [prose(f"No run starts: {shown}")] == [one.value for one in app.error]
    assert prose(f"disk space: {shown}") in said(app) and "in the queue" not in said(app)
    store.attempts.request_stop(run.id)


def test_a_failed_run_tells_its_sentence_and_can_be_retried(show) -> None:
    store, run = session.store(), submitted()
    store.attempts.fail(run.id, store.attempts.claim(run.id, "w", "cpu"), "No room on /srv.")
    app = show("jobs", run=run.id)
    assert any(error.value == "No room on /srv." for error in app.error)
    assert "is no log" in said(app)
    retry = app.button(key=f"retry-{run.id}")
    assert retry.label == "Retry"  # nothing was saved
    retry.click().run()
    assert store.runs.fetch(run.id).status == "queued"


@pytest.mark.parametrize(("role", "named"), [("lead", "SLIM_HOME"), ("admin", None)])
def test_what_a_run_says_names_places_on_the_server_to_admins_alone(
    show, filled_home: Path, as_person, role: Role, named: str | None
) -> None:
    store, run = session.store(), submitted()
    token = store.attempts.claim(run.id, "w", "cpu")
    wrong = f"{filled_home}/runs/x/maps.npy is broken: delete it."
    (store.artifacts.attempt(run.id, 1) / "log.txt").write_text(f"Traceback of {filled_home}: no maps")
    store.attempts.fail(run.id, token, wrong)
    store.members.set_role("ann@lab.org", role)
    as_person("ann@lab.org")
    app, place = show("jobs", run=run.id), named or str(filled_home)
    assert app.error[0].value == prose(wrong.replace(str(filled_home), place))
    assert f"Traceback of {place}: no maps" in [code.value for code in app.code]
    listed = said(show("jobs")) + said(app)
    assert f"{place}/runs/x" in listed and (named is None or str(filled_home) not in listed)


@pytest.mark.parametrize("page", ["jobs", "train"])
def test_a_batch_that_did_not_fit_is_run_in_parts_by_one_button(show, page: str) -> None:
    store, run = session.store(), submitted(batch_size=64)
    token = store.attempts.claim(run.id, "w", "cuda")
    out = store.artifacts.attempt(run.id, 1)
    (out / "log.txt").write_text("It did not fit.")
    (out / "remedy.json").write_text('{"batch_size": 16}')
    store.attempts.fail(run.id, token, "It holds 16.")
    app = show(page, run=run.id)
    button = app.button(key=f"remedy-{run.id}")
    assert button.label == "Run with batch_size 16"
    button.click().run()
    again = newest("train")
    assert (again.spec["batch_size"], again.status) == (16, "queued")
    assert {**again.spec, "batch_size": None} == {**run.spec, "batch_size": None}


@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_a_run_that_ended_on_its_way_shows_where_it_stopped(show, end: str) -> None:
    store, run = session.store(), submitted()
    token = store.attempts.claim(run.id, "w", "cpu")
    progress = {"done": 300, "total": 600, "phase": "train", "epoch": 2, "epochs": 4, "train_loss": 0.25}
    store.attempts.progress(run.id, token, progress | {"images_per_s": 1234.0, "seconds_left": 75.0})
    store.attempts.fail(run.id, token, "No room.") if end == "failed" else store.attempts.cancel(run.id, token)
    bar = show("jobs", run=run.id).get("progress")[0].proto
    assert (bar.value, bar.text) == (50, "stopped during train · epoch 2 of 4 · 300 of 600 images · loss 0.250")


def test_who_stops_a_run_reads_what_is_left_of_it(show) -> None:
    store, run = session.store(), submitted()

    def asked() -> str:
        return next(each.value for each in show("jobs", run=run.id).markdown if each.value.startswith("Stop **"))

    assert asked().endswith("not started yet.")
    store.attempts.claim(run.id, "w", "cpu")
    assert asked().endswith(" starts again.")
    (store.artifacts.checkpoints(run.id) / "last.pt").write_bytes(b"saved")
    assert asked().endswith("last finished epoch.")


@pytest.mark.slow
def test_running_again_queues_the_same_spec_once_more_and_another_seed_is_another_run(show) -> None:
    store, run = session.store(), newest("train")
    app = show("jobs", run=run.id)
    app.button(key=f"again-{run.id}-0").click().run()
    again = store.runs.all(kind="train", status="queued")
    assert [one.spec for one in again] == [run.spec]
    told = f"Run {again[0].id} is saved"
    assert said(app).count(told) == 1, "there is no Redis here"
    app = show("jobs", run=run.id)
    app.number_input(key=f"seed-again-{run.id}").set_value(7).run()
    app.button(key=f"again-{run.id}-0").click().run()
    seeded = store.runs.all(kind="train", status="queued")[0]
    assert seeded.spec == {**run.spec, "seed": 7}
    assert seeded.name.endswith("seed 7") and seeded.name.count("seed") == 1


def test_a_seed_that_was_run_already_leads_to_that_run(show) -> None:
    store, run = session.store(), newest("train")
    done = submitted(**{**run.spec, "seed": 7}, force=False)
    n = len(store.runs.all())
    app = show("jobs", run=run.id)
    app.number_input(key=f"seed-again-{run.id}").set_value(7).run()
    app.button(key=f"again-{run.id}-0").click().run()
    assert app.query_params["run"] == done.id
    assert any("run with seed 7 exists" in info.value for info in app.info)
    assert len(store.runs.all()) == n


def test_what_is_drawn_each_second_takes_nothing_away_that_was_said_a_moment_ago() -> None:
    def page(run: str) -> None:
        from app.jobs.one_run import _now

        _now(run, "queued")

    app = AppTest.from_function(page, args=(submitted(seed=7).id,), default_timeout=60)
    app.session_state["message-once"] = "exists already"
    app.run()
    assert not app.exception and app.session_state["message-once"]


def test_what_waited_for_a_stopped_run_is_stopped_with_it_and_leads_to_the_run_to_resume(show) -> None:
    store, train = session.store(), submitted()
    spec = {"kind": "gradcam", "dataset": train.dataset_id, "model": train.id}
    maps, _ = store.runs.submit(parse_spec(spec), by="tests")
    token = store.attempts.claim(train.id, "w", "cpu")
    assert "1 waiting run stops with it." in said(show("jobs", run=train.id))
    store.attempts.request_stop(train.id, "local")
    store.attempts.cancel(train.id, token)
    named = f"You stopped {train.name}. Retry it."
    app = show("jobs")
    assert named in said(app) and "failed" not in said(app)
    assert [row[2] for row in cells(app, "Runs")[:2]] == ["– stopped", "– stopped"]
    app = show("jobs", run=maps.id)
    assert f"{named} This run is" in said(app)
    assert f"retry-{maps.id}" not in [one.key for one in app.button], "the store would refuse it"
    next(one for one in app.button if one.label == "Open that run").click().run()
    assert app.query_params["run"] == train.id
    app = show("jobs", run=train.id)
    assert "1 run that waited for" in said(app)
    app.button(key=f"retry-{train.id}").click().run()
    assert store.runs.fetch(maps.id).status == "queued"


def test_the_command_of_a_run_is_offered(show) -> None:
    run = session.store().runs.all(kind="train")[-1]
    app = show("jobs", run=run.id)
    (line,) = [code.value for code in app.code if "submit --spec" in code.value and run.dataset_id in code.value]
    home, slim = line.split()[:2]
    assert home == f"SLIM_HOME={settings().home.resolve()}" and slim.endswith(("/slim", "python")), "in any shell"


def test_deleting_asks_first_and_leaves_the_images(show, filled_home: Path) -> None:
    store, run = session.store(), newest("evaluate")
    images = store.datasets.table(run.dataset_id)
    app = show("jobs", run=run.id)
    assert store.runs.find(run.id) is not None
    app.button(key=f"delete-{run.id}").click().run()
    assert not app.exception
    assert store.runs.find(run.id) is None
    assert not (filled_home / "runs" / run.id).exists()
    assert images.image_path(0).exists()


def test_a_run_that_others_were_made_from_is_deleted_with_them_only(show) -> None:
    store, run = session.store(), newest("gradcam")
    app = show("jobs", run=run.id)
    assert app.button(key=f"delete-{run.id}").disabled
    n = len(store.lineage.descendants([run.id]))
    assert n > len(store.runs.children(run.id)), "some not directly"
    assert f"{n} runs were" in said(app) and f"Attention space (1): {newest('space').id}" in said(app)
    assert "1 evaluation can no longer" in said(app)
    app.checkbox(key=f"cascade-{run.id}").check().run()
    app.button(key=f"delete-{run.id}").click().run()
    assert not app.exception
    assert {one.kind for one in store.runs.all()} == {"train", "evaluate"}
    assert len(store.runs.all()) == 2  # the reference and its evaluation


def test_a_run_that_was_deleted_meanwhile_or_never_was_is_said_to_be(show) -> None:
    store, run = session.store(), newest("evaluate")
    app = show("jobs", run=run.id)
    store.runs.delete(run.id)
    assert "was deleted on" in said(app.run())
    assert "is no run r-never" in said(show("jobs", run="r-never"))


def test_a_record_of_the_machine_that_is_half_written_is_no_record() -> None:
    run = session.store().runs.all(kind="train", status="done")[0]
    (session.store().artifacts.folder(run.id) / "environment.json").write_text('{"python": ')
    assert read(run) == {}


def test_a_log_that_is_gone_is_said_to_be(show, filled_home: Path) -> None:
    run = newest("evaluate")
    (filled_home / "runs" / run.id / "log.txt").unlink()
    app = show("jobs", run=run.id, about="Environment")
    assert "files were removed" in said(app)
    assert "environment is recorded" in said(app)


@pytest.mark.kills_processes
@pytest.mark.redis
@pytest.mark.parametrize("one", [False, True])
def test_a_frozen_redis_is_told_after_everything_that_the_database_knows(
    show, one: bool, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    for what, of in ((all_runs, "show_all"), (one_run, "show_state"), (queue, "show_state"), (Queue, "silence")):
        _noted(monkeypatch, what, of, drawn)
    with redis_at(tmp_path_factory.mktemp("r")) as url:
        monkeypatch.setenv("SLIM_REDIS_URL", url)
        session.reset()
        params = {"run": submitted().id} if one else {}
        server = psutil.Process(Redis.from_url(url).info("server")["process_id"])
        server.suspend()
        try:
            app = show("jobs", **params)
        finally:
            server.resume()
        (told,) = [error.value for error in app.error]
        assert not missing(told, f"Redis at {url}", "SLIM_REDIS_URL", "kept")
        assert drawn[-2 if one else -3 :] == (
            ["show_state", "silence"] if one else ["show_all", "show_state", "silence"]
        )
    settings.cache_clear()


def _noted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, into: list[str]) -> None:
    was = getattr(owner, name)

    def noted(*args: Any, **kwargs: Any) -> Any:
        into.append(name)
        return was(*args, **kwargs)

    monkeypatch.setattr(owner, name, noted)


@pytest.mark.redis
def test_looking_writes_neither_to_redis_nor_to_the_database(
    show, filled_home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis_at(tmp_path_factory.mktemp("r")) as url:
        monkeypatch.setenv("SLIM_REDIS_URL", url)
        session.reset()
        waiting, redis = submitted(), Redis.from_url(url)
        session.queue().submit(waiting)
        before = _database(filled_home), _redis(redis)
        assert before[1][0]  # the waiting run has put something there
        writes = _writes(redis)
        for params in ({}, {"run": waiting.id}, {"run": newest("evaluate").id, "about": "Lineage"}):
            app = show("jobs", **params)
            assert not any("Redis" in error.value for error in app.error)
        assert (_database(filled_home), _redis(redis)) == before
        assert _writes(redis) == writes
        redis.close()
    settings.cache_clear()


def _database(home: Path) -> dict[str, str]:
    """Digest of the database's files, the log of its writes included."""
    files = [path for path in home.glob("slim.db*") if not path.name.endswith("-shm")]  # who reads what: no content
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.stat().st_size}


def _redis(redis: Redis) -> tuple[dict[bytes, bytes], int]:
    return {key: redis.dump(key) for key in redis.keys()}, redis.info("persistence")["rdb_changes_since_last_save"]


def _writes(redis: Redis) -> dict[str, int]:
    """How often each command was called, but for those that only read and that look at the server itself."""
    calls = {name.removeprefix("cmdstat_"): told["calls"] for name, told in redis.info("commandstats").items()}
    reads = ("ping", "info", "keys", "dump", "hello", "client", "lrange", "llen", "exists", "get", "hget", "type")
    return {name: n for name, n in calls.items() if name.partition("|")[0] not in reads}


def test_a_spec_that_is_changed_has_no_default_name_of_another_one() -> None:
    unnamed = submitted(seed=70)
    assert unnamed.name.endswith(": small-resnet, seed 70"), "as nobody named it"
    with pytest.raises(QueueUnavailableError):  # saved all the same
        actions.run_again(replace(unnamed, spec=unnamed.spec | {"model": "resnet18"}), seed=71)
    assert newest("train").name.endswith(": resnet18, seed 71")
    with pytest.raises(QueueUnavailableError):
        actions.run_with(unnamed, {"model": "resnet18"})
    assert newest("train").name.endswith(": resnet18, seed 70")
    with pytest.raises(QueueUnavailableError):
        actions.run_with(replace(unnamed, name="Ours"), {"seed": 72})
    assert newest("train").name == "Ours", "a name that somebody gave stays"
