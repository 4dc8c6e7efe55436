"""The whole loop on real steps, through a real Redis and real worker processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.processes import is_alive
from slim_core import result_files
from slim_core.annotation.simulated_annotator import simulate_answers
from slim_core.runs.executor import Workbench
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import Loop
from slim_core.steps.specs import CandidatesSpec, GradcamSpec, SpaceSpec, TrainSpec
from tests.workers.worker_bench import LOOP_WORKERS, Bench, bench_at, until
from workers.queue import Submitter
from workers.worker import NICENESS

pytestmark = [pytest.mark.redis, pytest.mark.slow]

SHORT = {"epochs": 2, "batch_size": 32}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, demo_folder: Path) -> Iterator[Bench]:
    """Services on the small demo set, which import torch once: what jobs import is asked in test_space_by_queue.py.

    A step with torch on a busy machine may need a while to say its first word.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        home, waits = tmp_path_factory.mktemp("loop") / "home", {"constants": {"stop_grace_s": 10.0}, "lease_s": 30.0}
        with bench_at(home, demo_folder, workers=LOOP_WORKERS, **waits) as made:
            yield made


def test_the_whole_loop_runs_through_the_queue(bench: Bench):
    submitter = Submitter(bench.store, settings=bench.settings)
    config = LoopConfig(dataset=bench.dataset.id, train=SHORT)
    loop = Loop(Workbench(bench.store, submitter), config, annotate=lambda campaign: _forgiving(bench, campaign.id))
    outcome = loop.outcome("slim")

    assert outcome.evaluation.status == "done" and 0 <= outcome.evaluation.metrics["wga"] <= 1
    assert outcome.answers_share <= 0.03 and outcome.n_answers > 0
    subset = pd.read_parquet(bench.store.artifacts.folder(outcome.subset.id) / "subset.parquet")
    assert subset["count"].sum() == outcome.n_images and subset["row"].is_unique
    runs = bench.store.runs.all()
    assert {run.kind for run in runs} == {"train", "gradcam", "space", "curate", "evaluate"}
    assert {run.status for run in runs} == {"done"} and {run.attempt for run in runs} == {1}
    assert all(("-light-" in run.worker) == (run.kind in ("space", "curate")) for run in runs)


@pytest.mark.kills_processes
def test_a_training_killed_halfway_ends_with_the_weights_of_an_undisturbed_one(bench: Bench):
    fields = {"dataset": bench.dataset.id, "model": "small-resnet", "epochs": 4, "batch_size": 8, "seed": 5}
    submitter = Submitter(bench.store, settings=bench.settings)
    killed = submitter.submit(TrainSpec(**fields))
    saved = bench.store.artifacts.checkpoints(killed.id) / result_files.HISTORY  # written with each checkpoint
    until(lambda: saved.exists() and len(json.loads(saved.read_text())) >= 2, "the second epoch")
    slot = bench.slot("cpu0")
    (job,) = [child for child in slot.children() if is_alive(child)]
    assert job.nice() == min(slot.nice() + NICENESS, 19), "what people wait for goes first"
    job.kill()
    killed = submitter.wait(killed)
    assert killed.attempt == 2 and killed.losses == 1

    whole = submitter.wait(submitter.submit(TrainSpec(**fields), force=True))
    assert whole.attempt == 1
    assert _history(bench, killed) == pytest.approx(_history(bench, whole), abs=1e-6)


def test_a_training_stops_within_five_seconds(bench: Bench):
    run = Submitter(bench.store, settings=bench.settings).submit(
        TrainSpec(dataset=bench.dataset.id, model="small-resnet", epochs=500, seed=6)
    )
    until(lambda: bench.fetch(run).progress.get("epoch", 0) >= 1, "the first epoch")
    bench.queue.stop(run.id)
    stopped = bench.await_status(run, "canceled")

    assert stopped.message == "Stopped as asked."
    asked = next(event.at for event in bench.store.events.recent(50, subject=run.id) if event.what == "run.stop")
    assert (stopped.finished_at - asked).total_seconds() < 5


def test_the_steps_up_to_the_questions_go_on_after_a_restart_of_the_workers(bench: Bench):
    """Nobody waits for them: no browser and no submitter, and the first worker ends in the middle of the training."""
    about, submit = {"dataset": bench.dataset.id}, Submitter(bench.store, settings=bench.settings, by="lea").submit
    model = submit(TrainSpec(**about, model="small-resnet", epochs=12, batch_size=8, seed=7))
    maps = submit(GradcamSpec(**about, model=model.id))
    space = submit(SpaceSpec(**about, attention=maps.id))
    chosen = submit(CandidatesSpec(**about, space=space.id, share=0.1))
    pipeline = bench.store.pipelines.create("questions", [chosen.id])
    assert [run.kind for run in pipeline.runs] == ["train", "gradcam", "space", "candidates"]
    until(lambda: bench.fetch(model).progress.get("epoch", 0) >= 2, "the second epoch")
    bench.services.stop()
    assert bench.fetch(model).status == "queued", bench.tell(model)
    bench.services.start()
    bench.await_status(chosen, "done")
    assert bench.store.pipelines.fetch(pipeline.id).state == "done" and bench.fetch(model).attempt == 2
    campaign = bench.store.campaigns.fetch(bench.fetch(chosen).metrics["campaign"])
    assert campaign.created_by == "lea" and len(bench.store.campaigns.items(campaign.id)) > 0


def _history(bench: Bench, run) -> np.ndarray:
    """(epochs,) training losses."""
    history = pd.read_json(bench.store.artifacts.folder(run.id) / "history.json")
    return history["train_loss"].to_numpy()


def _forgiving(bench: Bench, campaign_id: str) -> int:
    """Answers from the masks; a model after two epochs would earn none of a stricter annotator."""
    return simulate_answers(bench.store, campaign_id, threshold=0.0)
