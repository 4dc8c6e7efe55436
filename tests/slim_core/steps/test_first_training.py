"""The model of a training that names none: the same by a command as on the page."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from slim_core import api
from slim_core.runs import trainings
from slim_core.runs.executor import InProcess
from slim_core.runs.trainings import model_for
from slim_core.store.workers import is_gpu


@pytest.fixture
def photographs(monkeypatch):
    """Somebody's own data, of 500 px."""
    monkeypatch.setattr(trainings, "_side", lambda _store, _dataset: 500)
    return SimpleNamespace(id="d1", format="csv", root="gone")


@pytest.mark.parametrize(
    ("has_gpu", "fields", "model"),
    [
        (True, {}, "resnet50"),
        (False, {}, "small-resnet"),
        (False, {"mode": "last-layer"}, "resnet18"),  # of a pretrained network, and on a CPU
        (False, {"checkpoint": "ours.pt"}, "resnet50"),  # the small network has neither
        (False, {"weights": "imagenet"}, "resnet50"),
        (False, {"weights": "none"}, "small-resnet"),
    ],
)
def test_without_a_gpu_the_small_network_is_proposed_where_nothing_asks_for_a_pretrained_one(
    photographs, has_gpu, fields, model
):
    assert model_for(None, photographs, fields, has_gpu=has_gpu) == model


def test_a_training_in_this_process_without_a_gpu_takes_the_small_network(workbench, demo_folder, monkeypatch):
    dataset = replace(api.data_set(demo_folder, at=workbench), format="csv")  # somebody's own
    monkeypatch.setattr("slim_core.api.data_set", lambda _data, **_at: dataset)
    monkeypatch.setattr(InProcess, "wait", lambda _self, run: run)
    assert api.train(dataset.id, at=workbench).spec["model"] == "small-resnet"


@pytest.mark.parametrize(("device", "gpu"), [("cuda", True), ("cuda:1", True), ("mps", True), ("cpu", False)])
def test_a_gpu_is_known_by_the_name_of_its_device(device, gpu):
    assert is_gpu(device) is gpu


def test_few_images_take_the_epochs_that_the_page_proposes_unless_some_are_named(workbench, demo_folder, monkeypatch):
    dataset = replace(api.data_set(demo_folder, at=workbench), report={"splits": {"train": 900}})
    monkeypatch.setattr("slim_core.api.data_set", lambda _data, **_at: dataset)
    monkeypatch.setattr(InProcess, "wait", lambda _self, run: run)
    assert api.train(dataset.id, model="small-resnet", at=workbench).spec["epochs"] == 51
    assert api.train(dataset.id, model="small-resnet", epochs=2, at=workbench).spec["epochs"] == 2
    assert api.train(dataset.id, model="resnet18", weights="none", at=workbench).spec["epochs"] == 100
