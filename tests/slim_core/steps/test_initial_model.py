"""The model that a training starts from."""

from __future__ import annotations

import sys
import types

import pytest
from torch import nn

from slim_core.errors import SpecRefusedError
from slim_core.steps.specs import TrainSpec
from slim_core.steps.train.initial_model import initial_model, weights_note
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

    assert note("networks_of_a_test:own") == (
        "networks_of_a_test:own has no parameter pretrained: no ImageNet weights were loaded, and the training began "
        "from the weights that the function gives. If these are new ones, take weights none, with the epochs that are "
        "proposed for a network from scratch."
    )
    assert note("networks_of_a_test:asked") is None and note("resnet18") is None
    assert note("networks_of_a_test:own", weights="none") is None
    assert note("networks_of_a_test:own", checkpoint="x.pt") is None
    assert note("networks_of_a_test:own", start="reference", reference="r-1") is None
