"""A PostgreSQL that is away for longer than a lease: a living worker keeps its run, and nothing is computed twice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.postgres import IMMEDIATE, Cluster, programs
from slim_core.store import Run
from tests.workers.drills import TICK_S
from tests.workers.worker_bench import Bench, bench_at, until

pytestmark = [
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.kills_processes,
    pytest.mark.skipif(programs() is None and "CI" not in os.environ, reason="no PostgreSQL server to start"),
]

LEASE_S = 4.0
A_WHILE_S = 4 * TICK_S  # a service has looked by then


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server that may be ended."""
    with Cluster() as made:
        yield made


@pytest.fixture(scope="module")
def served(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Bench]:
    """Services whose leases are short, on that server."""
    home = tmp_path_factory.mktemp("served") / "home"
    with bench_at(home, images, database_url=cluster.url(), lease_s=LEASE_S) as made:
        yield made


def stopped(cluster: Cluster) -> Callable[[], None]:
    """End the server and all its connections; returns what starts it again."""
    cluster.stop(IMMEDIATE)
    return cluster.start


def frozen(cluster: Cluster) -> Callable[[], None]:
    """Let it answer nothing and refuse nothing; returns what lets it go on."""
    server = psutil.Process(cluster.pid)
    family = [server, *server.children(recursive=True)]
    for process in family:
        process.suspend()

    def go_on() -> None:
        for process in family:
            process.resume()

    return go_on


def held_since(bench: Bench, run: Run) -> list[int]:
    """What it has counted by when it counts no more."""
    counts = bench.counts(run)
    time.sleep(1.0)
    return counts if bench.counts(run) == counts else []


@pytest.mark.parametrize("silence", [stopped, frozen])
def test_a_run_whose_worker_lives_outlasts_an_outage_that_is_longer_than_its_lease(
    served: Bench, cluster: Cluster, silence: Callable[[Cluster], Callable[[], None]]
) -> None:
    run = served.submit(counts=1_000_000, pause_s=0.02)
    served.await_count(run, 1)
    end_silence = silence(cluster)
    try:
        time.sleep(LEASE_S)
        until(lambda: held_since(served, run), "it to pause, since another worker may have it")
        paused_at = served.counts(run)
    finally:
        end_silence()
    until(lambda: served.counts(run)[len(paused_at) :], "it to continue")
    time.sleep(A_WHILE_S)
    lived = served.fetch(run)
    served.queue.stop(run.id)
    served.await_status(run, "canceled")

    assert (lived.status, lived.attempt, lived.losses) == ("running", 1, 0)
    assert served.counts(run) == list(range(1, len(served.counts(run)) + 1))  # each once, by one process
    assert len({process for process, _, _ in served.trace(run)}) == 1
