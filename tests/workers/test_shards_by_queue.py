"""Shards through a real Redis and two real workers: taken by both, redone alone, stopped and retried as one run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.processes import is_alive
from slim_core.steps.specs import GradcamSpec, TrainSpec
from slim_core.store import Run
from tests.workers.worker_bench import TORCH_WORKERS, Bench, bench_at, until
from workers.queue import Submitter

pytestmark = [pytest.mark.redis, pytest.mark.slow]
N_SHARDS = 3
LABELS = ("cpu0", "cpu1")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, demo_folder: Path) -> Iterator[Bench]:
    """Two workers of the gpu queue, and 340 images, of which 120 are many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        options = {"workers": TORCH_WORKERS, "n_cpu": 2, "shard_images": 120, "constants": {"stop_grace_s": 10.0}}
        with bench_at(tmp_path_factory.mktemp("shards") / "home", demo_folder, **options) as made:
            yield made


def submitted(bench: Bench, **options) -> Run:
    """A pass of a small model; what takes most of a shard's time is the import of torch."""
    submitter = Submitter(bench.store, settings=bench.settings)
    model = submitter.submit(TrainSpec(dataset=bench.dataset.id, model="small-resnet", weights="none", epochs=1))
    spec = GradcamSpec(dataset=bench.dataset.id, model=model.id, class_of_map="both", batch_size=8)
    run, created = bench.store.runs.submit(spec, **options)
    assert created
    bench.queue.submit(run)
    return run


def running(bench: Bench, run: Run) -> list[Run]:
    return [shard for shard in bench.store.runs.shards(run.id) if shard.status == "running"]


def label(shard: Run) -> str:
    """Which of the two workers has it, or had it; their names change when they are started again."""
    return next(each for each in LABELS if f"-{each}-" in (shard.worker or ""))


def kill_job_of(bench: Bench, shard: Run) -> None:
    """Kill -9 the process that works at a shard."""
    for child in bench.slot(label(shard)).children():
        if is_alive(child):
            child.kill()


def contents(bench: Bench, run: Run) -> dict[str, bytes]:
    folder = bench.store.artifacts.folder(run.id)
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".npy", ".parquet")}


@pytest.mark.kills_processes
def test_shards_are_shared_by_the_workers_redone_alone_and_merged_into_the_bytes_of_one_pass(bench: Bench):
    for each in LABELS:
        bench.slot(each)  # is up
    run = submitted(bench)
    assert len(bench.store.runs.shards(run.id)) == N_SHARDS
    until(lambda: running(bench, run), "a shard to run")
    killed = running(bench, run)[0]
    kill_job_of(bench, killed)
    merged = bench.await_status(run, "done", "failed")
    shards = bench.store.runs.shards(run.id)

    assert merged.status == "done" and merged.attempt == 1, "merged once"
    assert {shard.id: (shard.attempt, shard.losses) for shard in shards} == {
        shard.id: (2, 1) if shard.id == killed.id else (1, 0) for shard in shards
    }
    assert {label(shard) for shard in shards} == set(LABELS)
    whole = submitted(bench, force=True, sharded=False)
    assert contents(bench, bench.await_status(whole, "done")) == contents(bench, merged)
    until(lambda: not list(bench.home.glob("work/*")), "checkpoints and attempts to be removed")
    left = [path for path in bench.home.glob("runs/*/*.npy") if path.parent.name in {shard.id for shard in shards}]
    assert not left, "what the shards made is in the merged run"


def test_stopping_the_run_stops_its_shards_within_seconds_and_a_retry_finishes_it(bench: Bench):
    run = submitted(bench, force=True)
    until(lambda: running(bench, run), "a shard to run")
    assert bench.queue.stop(run.id, "ann").status == "canceled"
    until(lambda: all(shard.ended for shard in bench.store.runs.shards(run.id)), "the shards to stop")
    assert "canceled" in {shard.status for shard in bench.store.runs.shards(run.id)}
    assert bench.fetch(run).status == "canceled"

    bench.queue.retry(run.id, "ann")
    assert bench.await_status(run, "done", "failed").status == "done"
    assert {shard.status for shard in bench.store.runs.shards(run.id)} == {"done"}
