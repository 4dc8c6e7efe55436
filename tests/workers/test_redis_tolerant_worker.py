"""A worker whose Redis goes away: one sentence, no traceback, and the same worker goes on when it is back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import rq

from slim_core.store import Run
from tests.workers.worker_bench import DRILL_WORKERS, Bench, until
from workers.local import RedisHome, answers, environment
from workers.queue import RUN_STEP

pytestmark = [pytest.mark.redis, pytest.mark.kills_processes]


@contextmanager
def redis_of(bench: Bench) -> Iterator[RedisHome]:
    """The embedded Redis of a home without a service: once killed, it stays away."""
    owner = RedisHome(bench.home)
    assert owner.acquire()
    owner.ensure()
    try:
        yield owner
    finally:
        owner.stop()


@contextmanager
def slot_of(bench: Bench, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One worker process that nobody starts again."""
    command = [
        *DRILL_WORKERS,
        "slot",
        "--queues",
        "cpu",
        "--device",
        "cpu",
        "--name",
        "w",
        "--parent",
        str(os.getpid()),
    ]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment(bench.settings), stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def back(owner: RedisHome, url: str) -> bool:
    owner.ensure()
    return answers(url)


def await_renewals(bench: Bench, run: Run, n: int) -> None:
    """Until the lease of the run has been renewed so often from now on."""
    for _ in range(n):
        was = bench.fetch(run).lease_until
        until(lambda was=was: bench.fetch(run).lease_until != was, f"{run.id} to have its lease renewed")


def test_a_redis_that_is_gone_when_a_job_ends_costs_one_sentence_and_no_worker(tmp_path: Path, images: Path):
    bench, log = Bench(tmp_path / "home", images), tmp_path / "slot.log"
    with redis_of(bench) as owner, slot_of(bench, log) as process:
        gate = bench.home / "redis-is-gone"
        run = bench.submit(gate=str(gate))
        bench.await_count(run, 1)
        os.kill(owner.pid, signal.SIGKILL)
        until(lambda: not answers(owner.url), "Redis to be gone")
        gate.touch()
        done = bench.await_status(run, "done")
        until(lambda: "Redis went away" in log.read_text() or process.poll() is not None, "the worker to notice")
        until(lambda: back(owner, owner.url), "Redis to be back")
        follower = bench.await_status(bench.submit(), "done")

        assert process.poll() is None and (done.worker, follower.worker) == ("w", "w")
        assert (done.attempt, done.losses) == (1, 0)
        assert log.read_text().count("Redis went away") == 1 and "Traceback" not in log.read_text()
    bench.store.close()


def test_a_database_that_is_away_as_a_job_begins_costs_one_sentence_and_no_worker(tmp_path: Path, images: Path):
    bench, log = Bench(tmp_path / "home", images), tmp_path / "slot.log"
    database, aside = bench.home / "slim.db", bench.home / "aside.db"
    with redis_of(bench), slot_of(bench, log) as process:
        bench.await_status(bench.submit(), "done")
        database.rename(aside)  # who has it open goes on; the process of the next job opens it anew
        database.mkdir()
        try:
            rq.Queue("cpu", connection=bench.redis(), serializer="json").enqueue(RUN_STEP, "r-nothing", job_timeout=60)
            until(lambda: str(database) in log.read_text() or process.poll() is not None, "the job to be said to fail")
        finally:
            database.rmdir()
            aside.rename(database)

        assert bench.await_status(bench.submit(), "done").worker == "w" and process.poll() is None
        said = [line for line in log.read_text().splitlines() if str(database) in line]
        assert len(said) == 1 and "SLIM_HOME" in said[0]
        assert "Traceback" not in log.read_text()
    bench.store.close()


@pytest.mark.slow
def test_a_job_that_ignores_a_stop_is_killed_in_time_though_redis_is_frozen(tmp_path: Path, images: Path):
    bench, log = Bench(tmp_path / "home", images), tmp_path / "slot.log"
    with redis_of(bench) as owner, slot_of(bench, log):
        run = bench.submit(misbehave="hang once")
        bench.await_count(run, 1)
        os.kill(owner.pid, signal.SIGSTOP)
        try:
            await_renewals(bench, run, 3)  # the worker has met it, and watches on
            bench.store.attempts.request_stop(run.id)
            asked = time.monotonic()
            ended = bench.await_status(run, "canceled")
            took_s = time.monotonic() - asked
        finally:
            os.kill(owner.pid, signal.SIGCONT)
        assert ended.message.startswith("Stopped") and took_s < bench.settings.stop_grace_s + 6
        assert bench.await_status(bench.submit(), "done").worker == "w" and "Traceback" not in log.read_text()
    bench.store.close()
