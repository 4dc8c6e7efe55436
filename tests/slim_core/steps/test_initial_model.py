"""The model that a training starts from."""

from __future__ import annotations

import sys
import types

import pytest
import torch
from torch import nn

from slim_core import api
from slim_core.errors import SpecRefusedError
from slim_core.steps.specs import TrainSpec
from slim_core.steps.train import initial_model, weights_note
from slim_core.store.results import ModelResult
from tests.refusals import missing
from tests.slim_core.painted import painted_table


def test_a_network_of_ones_own_that_ends_in_a_softmax_is_not_trained(tmp_path, monkeypatch):
    module = types.ModuleType("networks_of_a_test")
    layers = (nn.Conv2d(3, 2, 4, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Softmax(1))
    module.logits, module.softmax = (lambda _: nn.Sequential(*layers[:3])), (lambda _: nn.Sequential(*layers))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    table = painted_table(tmp_path, 4, size=32)

    def started(function):
        spec = TrainSpec(dataset="d", model=f"networks_of_a_test:{function}", image_size=32)
        return initial_model(spec, table, None)  # type: ignore[arg-type]  # asked for checkpoints and references only

    assert started("logits").n_classes == 2
    with pytest.raises(SpecRefusedError, match="networks_of_a_test:softmax gives probabilities"):
        started("softmax")


def test_a_function_that_cannot_be_asked_for_imagenet_weights_is_named_by_a_note(monkeypatch):
    module = types.ModuleType("networks_of_a_test")
    module.own, module.asked = (lambda _: None), (lambda _, pretrained=True: pretrained)
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def note(function, **fields):
        return weights_note(TrainSpec(dataset="d", model=function, **fields))

    assert not missing(note("networks_of_a_test:own") or "", "networks_of_a_test:own", "pretrained", "weights none")
    assert note("networks_of_a_test:asked") is None and note("resnet18") is None
    assert note("networks_of_a_test:own", weights="none") is None
    assert note("networks_of_a_test:own", checkpoint="x.pt") is None
    assert note("networks_of_a_test:own", start="reference", reference="r-1") is None


class Watched(nn.Module):
    """A small network that keeps what it is given to train on."""

    image_size, seen = 64, list[torch.Tensor]()

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 4, stride=4), nn.Linear(4, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen.append(images.detach().clone())
        logits: torch.Tensor = self.head(self.conv(images).mean((2, 3)))
        return logits


def test_a_training_shows_its_model_the_images_as_the_spec_says(looped, monkeypatch):
    module = types.ModuleType("networks_of_a_test")
    module.watched = Watched
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def trained(**asked):
        """The transform that the run keeps, and the images (n, 3, H, W) that are trained on."""
        monkeypatch.setattr(Watched, "seen", [])
        how = {"epochs": 1, "batch_size": 32, "augmentation": "none", "weights": "none", "at": looped.at}
        run = api.train(looped.dataset.id, model="networks_of_a_test:watched", **how, **asked)
        return ModelResult(looped.at.store.artifacts.folder(run.id)).transform, torch.cat(Watched.seen)

    usual, as_usual = trained()
    assert usual.size == 64 and as_usual.shape[1:] == (3, 64, 64)
    mean, std = (0.5, 0.4, 0.3), (0.25, 0.5, 0.125)
    given, as_given = trained(mean=mean, std=std)
    assert (given.size, given.mean, given.std) == (64, mean, std)

    def plain(images, transform):
        """As they were before the transform's mean and standard deviation, which lie in 0..1 again."""
        shape = (1, 3, 1, 1)
        return images * torch.tensor(transform.std).reshape(shape) + torch.tensor(transform.mean).reshape(shape)

    assert torch.allclose(plain(as_given, given), plain(as_usual, usual), atol=1e-5)
    assert not torch.allclose(as_given, as_usual, atol=0.1)
    small, as_small = trained(image_size=48, resize_ratio=1.5)
    assert (small.size, small.resize_ratio) == (48, 1.5) and as_small.shape[1:] == (3, 48, 48)
    cut, as_cut = trained(image_size=48, resize_ratio=1.0)
    assert cut.resize_ratio == 1.0 and not torch.allclose(as_cut, as_small, atol=0.1)
