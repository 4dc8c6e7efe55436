"""A space run leaves the points of embed, and ends when it is asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from slim_core.data.importing import import_data
from slim_core.runs.execute import execute
from slim_core.settings import Settings
from slim_core.space.embedding import SpaceConfig, embed
from slim_core.space.environments import Clusters, environment_clusters
from slim_core.steps import space
from slim_core.steps.specs import GradcamSpec, SpaceSpec, TrainSpec
from slim_core.store import Run, Store

PATIENCE_S = 120.0  # of a slow machine; each wait ends as soon as its condition holds


@pytest.fixture
def store(new_home: Path, demo_folder: Path) -> Iterator[Store]:
    opened = Store.open(Settings(home=new_home, data_roots=(demo_folder,)))
    opened.datasets.register(import_data(demo_folder, settings=opened.settings))
    yield opened
    opened.close()


def finished(store: Store, run: Run, **arrays: np.ndarray) -> Run:
    """The run, as if a worker had left these arrays."""
    token = store.attempts.claim(run.id, "tester", "cpu")
    for name, values in arrays.items():
        np.save(store.artifacts.attempt(run.id, 1) / f"{name}.npy", values)
    store.artifacts.attempt(run.id, 1)
    store.artifacts.publish(run.id, 1)
    store.attempts.finish(run.id, token, {})
    return store.runs.fetch(run.id)


@pytest.fixture
def attention(store: Store) -> Run:
    """A finished pass over train, with made-up features."""
    dataset = store.datasets.all()[0]
    model = finished(store, store.runs.submit(TrainSpec(dataset=dataset.id, model="small-resnet"))[0])
    rows = store.datasets.table(dataset.id).rows("train")
    features = np.random.default_rng(0).normal(size=(2, len(rows), 32)).astype(np.float16)
    run = store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))[0]
    return finished(store, run, rows=rows, attention_features=features[0], environment_features=np.abs(features[1]))


@pytest.mark.slow
def test_a_space_run_leaves_the_points_of_embed_and_reports_its_epochs(store, attention):
    run = store.runs.submit(SpaceSpec(dataset=attention.dataset_id, attention=attention.id, seed=3))[0]
    seen: list[dict] = []
    done = execute(store, run.id, worker="tester", device="cpu", on_progress=seen.append)

    assert done.status == "done"
    epochs = [one["done"] for one in seen if one["phase"].startswith("epochs") and one["total"] == 1000]
    assert epochs == sorted(epochs) and {500, 1000} <= set(epochs), "one count for both spaces"
    for name in ("attention", "environment"):
        features = np.load(store.artifacts.folder(attention.id) / f"{name}_features.npy").astype(np.float32)
        points = np.load(store.artifacts.folder(run.id) / f"{name}_space.npy")
        assert points.dtype == np.float32
        np.testing.assert_array_equal(points, embed(features, SpaceConfig(seed=3)))


def test_features_are_not_widened_all_at_once(store, attention, monkeypatch):
    given: list[np.dtype] = []

    def laid_out(features: np.ndarray, *_: object, **__: object) -> np.ndarray:
        given.append(features.dtype)
        return np.zeros((len(features), 2), np.float32)

    def clustered(features: np.ndarray, labels: np.ndarray, config: SpaceSpec) -> Clusters:
        given.append(features.dtype)
        return environment_clusters(features, labels, config)

    monkeypatch.setattr(space, "embed", laid_out)
    monkeypatch.setattr(space, "environment_clusters", clustered)
    run = store.runs.submit(SpaceSpec(dataset=attention.dataset_id, attention=attention.id))[0]
    assert execute(store, run.id, worker="tester", device="cpu").status == "done"
    assert given == [np.float16] * 3


@pytest.mark.slow
def test_a_stop_during_umap_cancels_the_run(store, attention):
    run = store.runs.submit(SpaceSpec(dataset=attention.dataset_id, attention=attention.id))[0]

    def stop_at_an_epoch(progress: dict) -> None:
        if progress["phase"].startswith("epochs"):
            store.attempts.request_stop(run.id)
            until(lambda: not any(run.id in thread.name for thread in threading.enumerate()))  # its thread has seen it

    ended = execute(store, run.id, worker="tester", device="cpu", on_progress=stop_at_an_epoch)

    assert (ended.status, ended.message) == ("canceled", "Stopped as asked.")
    assert not (store.artifacts.attempt(run.id, 1) / "environment_space.npy").exists()


@pytest.mark.slow
def test_ctrl_c_during_umap_ends_the_command_and_the_run_can_go_on(store, attention):
    command = [sys.executable, "-m", "slim_core.cli", "space", "--attention", attention.id]
    variables = environment_of(store.settings)
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        until(lambda: process.poll() is not None or loads_umap(process.pid))
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    (run,) = store.runs.all(kind="space")

    assert process.returncode == 130 and "Traceback" not in output, output
    assert (run.status, run.attempt, run.losses) == ("queued", 1, 0)


def loads_umap(pid: int) -> bool:
    """Whether a process has loaded the compiler that UMAP needs, and with it is about to search for neighbours."""
    try:
        return any("llvmlite" in entry.path for entry in psutil.Process(pid).memory_maps())
    except psutil.Error:  # it has just ended
        return False


def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def environment_of(settings: Settings) -> dict[str, str]:
    """Variables with which a command finds this home, its data and this code."""
    named = {"SLIM_HOME": str(settings.home), "SLIM_DATA_ROOTS": ":".join(map(str, settings.data_roots))}
    return {**os.environ, **named, "PYTHONPATH": str(Path(__file__).parents[3])}


def test_what_umap_refuses_is_the_sentence_of_the_run(store, attention):
    folder = store.artifacts.folder(attention.id)
    spoilt = np.load(folder / "environment_features.npy")
    spoilt[3, 1] = np.nan
    np.save(folder / "environment_features.npy", spoilt)
    np.save(folder / "attention_features.npy", spoilt)
    run = store.runs.submit(SpaceSpec(dataset=attention.dataset_id, attention=attention.id))[0]
    failed = execute(store, run.id, worker="tester", device="cpu")
    assert failed.status == "failed" and "image 3" in failed.message
