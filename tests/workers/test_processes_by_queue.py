"""A training that two processes share, through the queue: only a worker with as many devices takes it, and stops it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.processes import command_of
from slim_core.errors import SpecRefusedError
from slim_core.steps.specs import TrainSpec
from tests.slim_core.training.processes import quick_agent
from tests.workers.worker_bench import TORCH_WORKERS, Bench, bench_at, until
from workers.queue import Submitter

pytestmark = [
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two processes need two cores"),
]


@pytest.fixture
def bench(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    workers = (*TORCH_WORKERS, "--devices", "2", "--queues", "gpu")
    with bench_at(tmp_path / "home", images, workers=workers, constants={"stop_grace_s": 20.0}) as made:
        yield made


def test_a_run_of_two_processes_is_stopped_without_a_trace_and_finished_by_a_retry(bench: Bench) -> None:
    submitter = Submitter(bench.store, settings=bench.settings)
    until(lambda: any(worker.device == "cpu:0+1" for worker in bench.store.workers.alive()), "the worker")
    fields = {"dataset": bench.dataset.id, "model": "small-resnet", "batch_size": 8, "epochs": 40}
    with pytest.raises(SpecRefusedError, match="enough devices for 4 processes.*--devices 4"):
        submitter.submit(TrainSpec(**fields, processes=4, seed=1))
    run = submitter.submit(TrainSpec(**fields, processes=2))

    until(lambda: (bench.fetch(run).progress or {}).get("epoch", 0) >= 2, "two epochs", tell=lambda: bench.tell(run))
    ranks = [each for each in bench.family() if quick_agent.MODULE in command_of(each)]
    assert len(ranks) == 3  # the agent, and two that it has started
    bench.queue.stop(run.id)
    bench.await_status(run, "canceled")
    _, alive = psutil.wait_procs(ranks, timeout=20)
    assert not alive

    bench.queue.retry(run.id)
    done = bench.await_status(run, "done", "failed")
    assert done.status == "done" and done.device == "cpu:0+1" and done.metrics["epochs"] == 40
    assert "epoch 1 of 40" not in bench.log(run)  # it has resumed
