"""A space run ends soon when it is asked to, whatever UMAP is doing, and leaves what one process alone would."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from slim_core.data.importing import import_data
from slim_core.runs.execute import execute
from slim_core.settings import Settings
from slim_core.steps.specs import GradcamSpec, SpaceSpec, TrainSpec
from slim_core.store import Run, Store

STOP_S = 5.0  # what is promised


@pytest.fixture
def store(tmp_path: Path, demo_folder: Path) -> Iterator[Store]:
    opened = Store.open(Settings(home=tmp_path / "home", data_roots=(demo_folder,)))
    opened.datasets.register(import_data(demo_folder, settings=opened.settings))
    yield opened
    opened.close()


def finished(store: Store, run: Run, **arrays: np.ndarray) -> Run:
    """The run, as if a worker had left these arrays."""
    token = store.runs.claim(run.id, "tester", "cpu")
    for name, values in arrays.items():
        np.save(store.artifacts.attempt(run.id, 1) / f"{name}.npy", values)
    store.artifacts.attempt(run.id, 1)
    store.artifacts.publish(run.id, 1)
    store.runs.finish(run.id, token, {})
    return store.runs.fetch(run.id)


@pytest.fixture
def attention(store: Store) -> Run:
    """A finished attention pass over the training images, with made-up features."""
    dataset = store.datasets.all()[0]
    model = finished(store, store.runs.submit(TrainSpec(dataset=dataset.id, model="small-resnet"))[0])
    rows = store.datasets.table(dataset.id).rows("train")
    features = np.random.default_rng(0).normal(size=(2, len(rows), 32)).astype(np.float16)
    run = store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))[0]
    return finished(store, run, rows=rows, attention_features=features[0], environment_features=np.abs(features[1]))


def children() -> list[psutil.Process]:
    """The processes UMAP works in; other tests of this process may have started a browser."""
    return [
        each for each in psutil.Process().children() if "slim_core.space.embedding_process" in " ".join(each.cmdline())
    ]


def test_a_stop_ends_a_space_run_within_five_seconds_and_leaves_no_process(store, attention):
    run = store.runs.submit(SpaceSpec(dataset=attention.dataset_id, attention=attention.id))[0]
    asked_at: list[float] = []

    def stop_while_umap_works(progress: dict) -> None:
        if progress.get("computing_s", 0) >= 1 and not asked_at:
            assert children()
            store.runs.request_stop(run.id)
            asked_at.append(time.monotonic())

    ended = execute(store, run.id, worker="tester", device="cpu", on_progress=stop_while_umap_works)

    assert ended.status == "canceled" and asked_at
    assert time.monotonic() - asked_at[0] < STOP_S
    assert not children()


def test_what_umap_refuses_is_the_sentence_of_the_run(store, attention):
    folder = store.artifacts.folder(attention.id)
    spoilt = np.load(folder / "environment_features.npy")
    spoilt[3, 1] = np.nan
    np.save(folder / "environment_features.npy", spoilt)
    np.save(folder / "attention_features.npy", spoilt)
    run = store.runs.submit(SpaceSpec(dataset=attention.dataset_id, attention=attention.id))[0]
    failed = execute(store, run.id, worker="tester", device="cpu")
    assert failed.status == "failed" and failed.message.startswith("The features of image 3 of this split are not")
