"""A paused queue with real workers: nothing is taken, whatever is restarted, and all of it once it is resumed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.workers.drills import TICK_S
from tests.workers.worker_bench import Bench, until

pytestmark = pytest.mark.redis

A_WHILE_S = 5 * TICK_S  # longer than two rounds of the supervisor, which puts in what Redis lacks


def test_what_runs_goes_on_and_what_waits_starts_once_it_is_resumed(bench: Bench) -> None:
    gate = bench.home / "paused"
    running = bench.submit(gate=str(gate))
    bench.await_count(running, 1)
    bench.store.queue.pause("ann")
    gate.touch()
    waiting = bench.submit(counts=1)
    bench.await_status(running, "done")
    view = bench.queue.view()
    assert view.pause is not None and "ann" in str(view.waits_for(waiting.id))
    time.sleep(A_WHILE_S)
    assert bench.fetch(waiting).status == "queued" and bench.counts(waiting) == []
    bench.queue.resume("ben")
    bench.await_status(waiting, "done")


def test_it_survives_a_redis_that_is_wiped_and_workers_that_are_restarted(
    fresh_bench: Callable[..., AbstractContextManager[Bench]],
) -> None:
    with fresh_bench() as bench:
        bench.store.queue.pause("ann")
        run = bench.submit(counts=1)
        bench.redis().flushall()
        bench.services.stop()
        bench.services.start(wait=True)
        until(bench.store.workers.alive, "a worker on the roll")
        time.sleep(A_WHILE_S)
        assert bench.fetch(run).status == "queued"
        assert bench.store.queue.resume("ben"), "as the command does, which knows no Redis"
        bench.await_status(run, "done")
