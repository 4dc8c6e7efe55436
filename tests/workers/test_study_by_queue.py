"""A study through a real Redis and real worker processes: units side by side, each run once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slim_core.evaluation.study.summary import result_of
from slim_core.runs.executor import Workbench
from slim_core.runs.study.run import run_study
from slim_core.runs.study.spec import Study
from tests.workers.worker_bench import TORCH_WORKERS, Bench, bench_at
from workers.queue import Submitter

pytestmark = [pytest.mark.redis, pytest.mark.slow]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, demo_folder: Path) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        home = tmp_path_factory.mktemp("study") / "home"
        with bench_at(home, demo_folder, workers=TORCH_WORKERS, stop_grace_s=10.0, lease_s=30.0) as made:
            yield made


def test_a_study_runs_through_the_queue_two_units_at_a_time(bench: Bench):
    study = Study(
        name="queued",
        sets=[{"data": bench.dataset.id, "model": "small-resnet", "train": {"epochs": 1, "batch_size": 32}}],
        methods=["erm", "rwy"],
        seeds=[0, 1],
        against="erm",
    )
    at, seen = Workbench(bench.store, Submitter(bench.store, settings=bench.settings)), []
    study_id = run_study(at, study, jobs=2, report=seen.append)
    assert sorted(progress.done for progress in seen) == [1, 2, 3, 4]
    result = result_of(bench.store, study_id)
    assert [entry["status"] for entry in result.entries] == ["done"] * 4
    trainings = bench.store.runs.all(kind="train")
    assert {run.status for run in trainings} == {"done"} and len(trainings) == 4
    assert all(run.worker for run in trainings)
    assert bench.store.studies.fetch(study_id).finished_at is not None
    run_study(at, study, jobs=2)
    assert len(bench.store.runs.all(kind="train")) == 4
