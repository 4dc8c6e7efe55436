"""Workers with all that a user's have imported: without torch, and a stop while UMAP works is in time.

UMAP cannot be interrupted from within: the worker ends the process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from slim_core.steps.specs import GradcamSpec, SpaceSpec, TrainSpec
from slim_core.store import Run
from tests.workers.drills import Drill, HeavyDrill
from tests.workers.worker_bench import ALL_WORKERS, Bench, until

pytestmark = [pytest.mark.redis, pytest.mark.kills_processes]

MARGIN_S = 4.0  # the worker checks each second, the machine is slow


def _finish(bench: Bench, run: Run, **arrays: np.ndarray) -> Run:
    """The run, as if a worker had left these arrays."""
    token = bench.store.attempts.claim(run.id, "tester", "cpu")
    out = bench.store.artifacts.attempt(run.id, 1)
    for name, values in arrays.items():
        np.save(out / f"{name}.npy", values)
    bench.store.artifacts.publish(run.id, 1)
    bench.store.attempts.finish(run.id, token, {})
    return bench.fetch(run)


def _attention(bench: Bench) -> Run:
    """A finished attention pass over the training images, with made-up features; saved, and never in the queue."""
    model = _finish(bench, bench.store.runs.submit(TrainSpec(dataset=bench.dataset.id, model="small-resnet"))[0])
    rows = bench.store.datasets.table(bench.dataset.id).rows("train")
    features = np.random.default_rng(0).random((len(rows), 32)).astype(np.float16)
    run = bench.store.runs.submit(GradcamSpec(dataset=bench.dataset.id, model=model.id))[0]
    return _finish(bench, run, rows=rows, attention_features=features, environment_features=features)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Bench]:
    """Workers that import what a user's do; they start once there is what no worker is to make."""
    bench = Bench(tmp_path_factory.mktemp("space") / "home", images, workers=ALL_WORKERS)
    _attention(bench)
    with bench.services:
        yield bench
    bench.store.close()


@pytest.fixture
def attention(bench: Bench) -> Run:
    """The only one there is."""
    (run,) = bench.store.runs.all(kind="gradcam")
    return run


def _umap_process(bench: Bench) -> psutil.Process | None:
    """The process of the light worker's job, once it has loaded the compiler that UMAP needs."""
    for job in bench.slot("light").children():
        try:
            if any("llvmlite" in entry.path for entry in job.memory_maps()):
                return job
        except psutil.Error:  # it has just ended
            continue
    return None


def test_a_stop_during_umap_cancels_the_run_within_the_grace_time_and_ends_its_process(bench: Bench, attention: Run):
    run, _ = bench.store.runs.submit(SpaceSpec(dataset=bench.dataset.id, attention=attention.id))
    bench.queue.submit(run)
    until(lambda: _umap_process(bench), "UMAP to be at work")
    process = _umap_process(bench)
    bench.queue.stop(run.id)
    asked = time.monotonic()
    ended = bench.await_status(run, "canceled", "done", "failed")

    assert (ended.status, ended.message) == ("canceled", "Stopped as asked.")
    assert time.monotonic() - asked < bench.settings.stop_grace_s + MARGIN_S
    until(lambda: process is None or not process.is_running(), "its process to be gone")
    assert bench.await_status(bench.submit(), "done").attempt == 1  # the worker does the next


def test_the_workers_never_import_torch_themselves(bench: Bench):
    for drill in (Drill, HeavyDrill):  # of each worker, which is up when it has done one
        bench.await_status(bench.submit(drill=drill), "done")
    mapped = {label: " ".join(entry.path for entry in bench.slot(label).memory_maps()) for label in ("cpu0", "light")}
    assert not [label for label, files in mapped.items() if "torch" in files]
    assert "sklearn" in mapped["light"]  # it has imported what its steps need
