"""Whose run real workers take next: the database's order, whatever lies in Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slim_core.cli import main
from slim_core.settings import settings
from slim_core.store import Run, schema
from slim_core.version import code_version
from tests.refusals import missing
from tests.workers.worker_bench import Bench, until
from workers.queue import Submitter

pytestmark = pytest.mark.redis


@pytest.fixture
def busy(bench: Bench) -> Run:
    """A run that keeps the worker of light jobs busy until it is stopped."""
    run = bench.submit(counts=100_000, pause_s=0.02)
    bench.await_count(run, 1)
    return run


def _submit(bench: Bench, user: str, **options: int) -> Run:
    return Submitter(bench.store, settings=bench.settings, by=user, **options).submit(bench.spec(counts=1))


def _started(bench: Bench, runs: list[Run]) -> list[str]:
    """Their ids in the order in which they started, once all are done."""
    until(lambda: all(bench.fetch(run).status == "done" for run in runs), "all of them to be done")
    return [run.id for run in sorted(map(bench.fetch, runs), key=lambda run: run.started_at)]


def test_fifty_runs_of_one_user_do_not_keep_another_users_single_run_waiting(bench: Bench, busy: Run):
    many = [_submit(bench, "ann") for _ in range(50)]
    single = _submit(bench, "ben")
    view = bench.queue.view()
    assert view.position(many[0].id) == 1 and view.position(single.id) == 2 and view.position(many[49].id) == 51
    bench.queue.stop(busy.id)
    bench.await_status(single, "done")

    assert sum(bench.fetch(run).status == "queued" for run in many) >= 40
    assert _started(bench, [*many[:3], single])[:2] == [many[0].id, single.id]
    for run in many[3:]:
        bench.queue.stop(run.id)


def test_the_highest_priority_goes_first_whoever_waited_longer(bench: Bench, busy: Run):
    usual, later, urgent = (_submit(bench, "ann", priority=priority) for priority in (0, -1, 5))
    bench.queue.stop(busy.id)

    assert _started(bench, [usual, later, urgent]) == [urgent.id, usual.id, later.id]


def test_a_job_too_many_does_nothing_and_one_too_few_is_put_in(bench: Bench, busy: Run):
    first, second = _submit(bench, "ann"), _submit(bench, "ann")
    bench.queue.enqueue_wakeups([first, first, second])  # three too many
    bench.queue.stop(busy.id)
    assert _started(bench, [first, second]) == [first.id, second.id]
    assert bench.fetch(first).attempt == bench.fetch(second).attempt == 1
    until(lambda: bench.queue.jobs(["cpu"])["cpu"] == 0, "the jobs too many to be used up")

    unannounced, _ = bench.store.runs.submit(bench.spec())  # no job at all
    bench.await_status(unannounced, "done")


def test_the_view_tells_what_a_run_waits_for(bench: Bench):
    under_way = bench.submit(counts=4000, pause_s=0.02)
    bench.await_count(under_way, 1)
    parent = bench.submit(counts=2)
    child = bench.submit(parent=parent.id)
    view = bench.queue.view()

    assert view.waits_for(child.id) == f"Waiting for {parent.name} ({parent.id}), which is queued."
    assert view.position(child.id) is None
    assert view.waits_for(parent.id) is None and view.position(parent.id) == 1
    bench.queue.stop(under_way.id)
    assert bench.await_status(child, "done").attempt == 1


def test_a_worker_refuses_the_spec_of_newer_code_in_a_sentence_and_does_the_rest(bench: Bench, busy: Run):
    newer, usual = _submit(bench, "ann", priority=1), _submit(bench, "ann")
    with bench.store.database.write() as connection:
        change = schema.runs.update().where(schema.runs.c.id == newer.id)
        connection.execute(change.values(spec=newer.spec | {"spec_version": 99}))
    bench.queue.stop(busy.id)

    refused = bench.await_status(newer, "failed")
    assert not missing(refused.message, "version 99", "version 1:")
    assert "restart what runs" in refused.message
    assert bench.await_status(usual, "done").code_version == code_version()


def _slim(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


@pytest.fixture
def at_home(bench: Bench, monkeypatch) -> Iterator[None]:
    """The home of the workers is that of the commands."""
    monkeypatch.setenv("SLIM_HOME", str(bench.home))
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("at_home")
def test_the_command_line_asks_for_a_priority(bench: Bench, capsys):
    until(lambda: len(bench.store.workers.alive()) >= 2, "both workers on the roll")
    before = {run.id for run in bench.store.runs.all()}
    command = ["train", "--data", bench.dataset.id, "--queue", "--epochs", "1"]
    assert _slim([*command, "--device", "cuda:9"]) == 2
    assert "--device cuda:9" in " ".join(capsys.readouterr().err.split())
    assert _slim([*command[:-3], "--priority", "3"]) == 2
    assert "--priority 3 is a place" in capsys.readouterr().err
    assert {run.id for run in bench.store.runs.all()} == before
    assert _slim([*command, "--priority", "3"]) == 0
    (run,) = [run for run in bench.store.runs.all() if run.id not in before]
    assert (run.status, run.priority) == ("done", 3)


@pytest.mark.usefixtures("at_home")
def test_a_run_that_the_command_line_stops_and_retries_goes_on_where_it_was_by_itself(bench: Bench, capsys):
    run = bench.submit(counts=100, pause_s=0.1)
    child = bench.submit(parent=run.id)
    bench.await_count(run, 3)
    assert _slim(["stop", run.id]) == 0
    bench.await_status(run, "canceled")
    assert bench.fetch(child).status == "canceled"
    counted = bench.counts(run)[-1]
    assert _slim(["retry", run.id]) == 0
    assert "No workers" not in capsys.readouterr().err
    bench.await_count(run, counted + 2)
    assert bench.counts(run)[: counted + 1] == list(range(1, counted + 2)) and bench.fetch(child).status == "queued"
    assert _slim(["stop", run.id]) == 0
    bench.await_status(run, "canceled")
