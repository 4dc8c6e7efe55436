"""A run's life through a real Redis and real worker processes (DESIGN.md)."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from benchmarks.processes import free_port
from slim_core.errors import QueueUnavailableError, RunCanceledError, SlimError
from slim_core.store import Run
from slim_core.store.database import DatabaseAwayError
from tests.workers.drills import HeavyDrill
from tests.workers.worker_bench import Bench, until
from workers.queue import Submitter

pytestmark = pytest.mark.redis


def test_a_submitted_run_is_done_and_leaves_its_artifacts(bench: Bench):
    run = bench.await_status(bench.submit(counts=3), "done")

    assert run.metrics == {"counted": 3, "began_at": 0}
    assert run.worker and "-light-" in run.worker and run.device == "cpu"
    assert run.attempt == 1 and run.seconds > 0 and run.peak_memory_mb > 10
    folder = bench.store.artifacts.folder(run.id)
    names = {path.name for path in folder.iterdir()}
    assert names >= {"result.txt", "spec.json", "metrics.json", "environment.json", "log.txt"}
    assert "counted 3" in bench.log(run)


def test_a_running_run_stops_within_five_seconds_and_a_retry_goes_on(bench: Bench):
    run = bench.submit(counts=100, pause_s=0.1)
    bench.await_count(run, 3)
    began = time.monotonic()
    assert bench.queue.stop(run.id, "ann").status == "stopping"
    assert bench.await_status(run, "canceled").message == "Stopped as asked."
    assert time.monotonic() - began < 5

    counted = bench.counts(run)[-1]
    bench.queue.retry(run.id, "ann")
    bench.await_count(run, counted + 2)
    assert bench.counts(run)[: counted + 1] == list(range(1, counted + 2))  # no count was done twice
    bench.queue.stop(run.id)
    bench.await_status(run, "canceled")


@pytest.mark.kills_processes
def test_a_run_that_ignores_a_stop_is_killed_after_the_grace_time(bench: Bench):
    run = bench.submit(counts=1000, pause_s=0.1, misbehave="deaf")
    bench.await_count(run, 1)
    process = psutil.Process(bench.trace(run)[0][0])
    bench.queue.stop(run.id)

    assert bench.await_status(run, "canceled").message == "Stopped as asked."
    until(lambda: not process.is_running(), "the process to be gone")


@pytest.mark.kills_processes
def test_a_killed_job_goes_on_from_its_checkpoint_and_its_row_says_what_happened(bench: Bench):
    run = bench.submit(gate="never")
    bench.await_count(run, 1)
    os.kill(bench.trace(run)[0][0], signal.SIGKILL)
    lost = bench.await_status(run, "queued", "done")
    done = bench.await_status(run, "done")

    if lost.status == "queued":
        assert "killed by SIGKILL (signal 9); it resumes" in lost.message
    assert done.attempt == 2 and done.losses == 1
    assert done.metrics["began_at"] == 1
    assert bench.store.events.recent(20, subject=run.id)[0].what == "run.done"


@pytest.mark.kills_processes
def test_a_run_whose_process_dies_again_and_again_fails_after_the_third_time(bench: Bench):
    run = bench.await_status(bench.submit(misbehave="segfault"), "failed")

    assert run.attempt == 3
    assert "vanished 3 times" in run.message and "SIGSEGV" in run.message


@pytest.mark.kills_processes
def test_a_process_that_exits_without_a_word_counts_as_lost(bench: Bench):
    run = bench.await_status(bench.submit(misbehave="exit"), "failed")

    assert run.attempt == 3 and "exit code 7" in run.message


def test_a_long_heavy_run_does_not_keep_a_light_one_waiting(bench: Bench):
    heavy = bench.submit(drill=HeavyDrill, counts=1000, pause_s=0.05)
    bench.await_count(heavy, 1)
    light = bench.await_status(bench.submit(), "done")

    assert bench.fetch(heavy).status == "running"
    assert "-cpu0-" in bench.fetch(heavy).worker and "-light-" in light.worker
    bench.queue.stop(heavy.id)
    bench.await_status(heavy, "canceled")


def test_runs_that_follow_at_once_are_done_in_a_process_each(bench: Bench):
    runs = [bench.submit(drill=HeavyDrill, counts=1) for _ in range(4)]
    done = [bench.await_status(run, "done") for run in runs]

    assert {run.attempt for run in done} == {1}
    assert len({pid for run in runs for pid, _, _ in bench.trace(run)}) == 4


def test_a_light_run_starts_at_once(bench: Bench):
    waits = []
    for _ in range(7):
        run = bench.await_status(bench.submit(counts=1), "done")
        waits.append((run.started_at - run.queued_at).total_seconds())

    assert min(waits) < 0.5, waits  # 0.1 s at the median of an idle machine, which this one may not be


def test_awaiting_a_run_raises_its_own_sentence(bench: Bench):
    submitter = Submitter(bench.store, settings=bench.settings)
    failing = submitter.submit(bench.spec(misbehave="refuse"))
    with pytest.raises(SlimError, match="The drill refuses count 2"):
        submitter.wait(failing)
    stopped = submitter.submit(bench.spec(counts=1000, pause_s=0.05))
    bench.queue.stop(stopped.id)
    with pytest.raises(RunCanceledError, match="was stopped"):
        submitter.wait(stopped)


def test_a_run_is_awaited_while_the_database_does_not_answer_and_that_is_said_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    submitter, fetch, away = Submitter(bench.store, settings=bench.settings), bench.store.runs.fetch, [True] * 3

    def sometimes(run_id: str) -> Run:
        if away:
            away.pop()
            raise DatabaseAwayError("The database does not answer: start it.")
        return fetch(run_id)

    run = submitter.submit(bench.spec(counts=1))
    monkeypatch.setattr(bench.store.runs, "fetch", sometimes)
    assert submitter.wait(run).status == "done"
    (said,) = [one.getMessage() for one in caplog.records if one.name == "workers.queue"]
    assert said.startswith("The database does not answer: start it. The drill run") and not away


def test_what_follows_a_run_that_redis_has_taken_waits_in_the_database_while_redis_does_not_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """A study submits for hours, and a Redis that is restarted is back within seconds."""
    submitter, nobody = Submitter(bench.store, settings=bench.settings), f"redis://127.0.0.1:{free_port()}/0"
    submitter.wait(submitter.submit(bench.spec(counts=1)))
    monkeypatch.setattr("workers.queue.redis_url", lambda _settings: nobody)

    run = submitter.submit(bench.spec(counts=1))
    assert f"Run {run.id} is saved" in caplog.text
    assert submitter.wait(run).status == "done"
    with pytest.raises(QueueUnavailableError, match="starts by itself"):
        Submitter(bench.store, settings=bench.settings).submit(bench.spec(counts=1))  # this one has reached none yet


def test_looking_changes_nothing_in_redis(bench: Bench):
    first = bench.submit(counts=1000, pause_s=0.05)
    bench.await_count(first, 1)
    waiting = [bench.submit() for _ in range(3)]
    redis = bench.redis()
    until(lambda: len(bench.queue.view().workers) >= 2, "both workers on the roll")  # they write when they begin
    redis.rpush("rq:queue:cpu", "dead-job-1")  # RQ's own look would remove it
    before = _content(redis)
    view = bench.queue.view()

    assert bench.queue.silence() is None
    assert view.waiting == {"gpu": [], "cpu": [run.id for run in waiting]}
    assert view.position(waiting[1].id) == 2 and view.position(first.id) is None
    assert view.counts["running"] == 1
    assert _content(redis) == before
    for run in (first, *waiting):
        bench.queue.stop(run.id)
    redis.lrem("rq:queue:cpu", 0, "dead-job-1")
    bench.await_status(first, "canceled")


def _content(redis) -> dict:
    """Every queue and job, without the heartbeats that workers write all the time."""
    keys = [key for key in redis.keys() if key.startswith((b"rq:queue", b"rq:job", b"rq:queues"))]
    return {key: redis.dump(key) for key in keys if b"heartbeat" not in key and not _beats(redis, key)}


def _beats(redis, key: bytes) -> bool:
    return redis.type(key) == b"hash" and redis.hget(key, "status") == b"started"
