"""What a first training is proposed with, by what there is here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app import session
from app.services import queueing
from slim_core.data.table import ImageTable
from slim_core.runs import trainings
from slim_core.runs.trainings import _read_side, epochs_for
from slim_core.steps.specs import parse_spec
from slim_core.store import Dataset, Run
from slim_core.store.workers import Workers
from tests.app.conftest import finish


def own(dataset: Dataset, n_train: int) -> Dataset:
    """The same images as somebody's own data of so many training images."""
    return replace(dataset, format="csv", report={**dataset.report, "splits": {"train": n_train}})


def on(monkeypatch: pytest.MonkeyPatch, *devices: str) -> None:
    workers = [type("Worker", (), {"device": device}) for device in devices]
    monkeypatch.setattr(Workers, "alive", lambda _workers: workers)


def test_without_a_gpu_the_small_network_is_proposed_whatever_the_data(dataset: Dataset, monkeypatch) -> None:
    on(monkeypatch, "cpu")
    found = queueing.proposal(own(dataset, 180))
    assert found.model == "small-resnet" and "has a GPU" in found.why


def test_with_a_gpu_small_images_take_the_small_network_and_larger_ones_the_pretrained(
    dataset: Dataset, monkeypatch
) -> None:
    on(monkeypatch, "cpu", "cuda:0")
    found = queueing.proposal(own(dataset, 180))
    assert found.model == "small-resnet" and "64 pixels" in found.why
    monkeypatch.setattr(trainings, "_side", lambda _store, _dataset: 500)
    assert queueing.proposal(own(dataset, 180)).model == "resnet50"


def test_an_image_that_could_not_be_read_is_read_again_the_next_time(dataset: Dataset, monkeypatch) -> None:
    on(monkeypatch, "cuda:0")
    _read_side.cache_clear()  # other tests have read the same image
    with monkeypatch.context() as away:
        away.setattr(ImageTable, "image_path", lambda _table, row: Path(f"/away/{row}.png"))
        assert "64 pixels" not in queueing.proposal(own(dataset, 180)).why
    assert "64 pixels" in queueing.proposal(own(dataset, 180)).why


@pytest.mark.parametrize(("n_train", "epochs"), [(2400, 20), (900, 51), (180, 100), (100_000, 20)])
def test_few_images_take_more_epochs_so_that_the_network_takes_enough_steps(
    dataset: Dataset, n_train: int, epochs: int
) -> None:
    assert epochs_for(own(dataset, n_train), "small-resnet") == epochs
    assert epochs_for(own(dataset, n_train), "resnet50") == 100


@pytest.mark.parametrize(("n_train", "epochs"), [(2400, 11), (180, 100), (100_000, 4)])
def test_a_network_of_ones_own_that_begins_from_scratch_does_so_too(
    dataset: Dataset, n_train: int, epochs: int
) -> None:
    assert epochs_for(own(dataset, n_train), "package.module:function", "none") == epochs
    assert epochs_for(own(dataset, n_train), "package.module:function", "imagenet") == 4, "as of a pretrained one"
    assert epochs_for(own(dataset, n_train), "resnet50", "none") == 100


def trained(dataset: Dataset, **fields: object) -> Run:
    """As if a training had taken 2 ms an image and epoch."""
    spec = {"kind": "train", "dataset": dataset.id, "model": "small-resnet", **fields}
    run, _ = session.store().runs.submit(parse_spec(spec))
    finish(run.id, {"images": 1000, "epochs": 10, "seconds": 20.0})
    return run


def test_the_time_is_unknown_before_the_first_training_and_then_follows_its_pace(dataset: Dataset) -> None:
    assert queueing.training_seconds(own(dataset, 180), "small-resnet", 100) is None
    trained(dataset)
    assert queueing.training_seconds(own(dataset, 250), "small-resnet", 100) == 50


def test_the_time_stays_known_while_last_layers_are_refitted_by_the_dozen(dataset: Dataset) -> None:
    model = trained(dataset)
    for seed in range(queueing.RECENT):
        trained(dataset, mode="last-layer", reference=model.id, seed=seed)
    assert queueing.training_seconds(own(dataset, 250), "small-resnet", 100) == 50
