"""A step that reports nothing for too long is ended, and its run treated as lost."""

from __future__ import annotations

import psutil
import pytest

from tests.workers.drills import HeavyDrill
from tests.workers.worker_bench import until

pytestmark = [pytest.mark.redis, pytest.mark.kills_processes, pytest.mark.slow]


def test_a_hung_step_is_ended_and_its_run_goes_on_and_one_that_is_merely_slow_is_left_alone(fresh_bench):
    with fresh_bench(constants={"hung_after_s": 2.0}) as bench:
        slow = bench.submit(drill=HeavyDrill, counts=4, pause_s=1.0)
        hung = bench.submit(counts=3, misbehave="hang once")
        bench.await_count(hung, 1)
        process = psutil.Process(bench.trace(hung)[0][0])
        done = bench.await_status(hung, "done")

        assert done.attempt == 2 and done.losses == 1 and done.metrics == {"counted": 3, "began_at": 1}
        until(lambda: not process.is_running(), "the hung process to be gone")
        lost = next(event for event in bench.store.events.recent(50, subject=hung.id) if event.what == "run.lost")
        assert "no progress for 2 s" in lost.details["why"]
        assert bench.await_status(slow, "done").attempt == 1
