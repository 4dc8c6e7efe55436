"""slim report, and networks that have no attention map, as they are typed."""

from __future__ import annotations

import json
import re
import sys
import types

import pytest
from torch import nn

from slim_core.settings import settings
from slim_core.store import Store
from tests.slim_core.cli.commands import slim


@pytest.mark.usefixtures("looped_home")
def test_a_step_that_was_done_before_says_so_and_how_it_is_done_again(looped, capsys):
    options = ("evaluate", "--model", looped.loop.reference.id, "--split", "val", "--no-attention", "--device", "cpu")
    assert slim(*options) == 0
    assert "Done before" not in capsys.readouterr().err
    assert slim(*options) == 0
    assert re.search(r"Done before, on \d{4}-\d\d-\d\d \d\d:\d\d: --force", capsys.readouterr().err)
    assert slim(*options, "--force") == 0
    assert "Done before" not in capsys.readouterr().err


class Flat(nn.Module):
    image_size = 8

    def __init__(self, n_classes):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(192, n_classes))

    def forward(self, images):
        return self.layers(images)


@pytest.fixture
def module(monkeypatch):
    module = types.ModuleType("networks_of_a_test")
    module.flat, module.text = Flat, lambda _n_classes: "a network"
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("looped_home")
def test_a_checkpoint_that_is_not_there_is_one_sentence_and_exit_code_2(capsys):
    assert slim("report", "nothing.pt", "--arch", "small-resnet") == 2
    said = capsys.readouterr().err
    assert "nothing.pt" in said and "Traceback" not in said


@pytest.mark.slow
@pytest.mark.usefixtures("looped_home", "module")
def test_a_network_without_a_map_is_trained_and_evaluated_and_says_why_it_has_no_attention(looped, capsys):
    train = ("train", "--data", looped.dataset.id, "--model", "networks_of_a_test:flat", "--epochs", 1, "--lr", 0.01)
    assert slim(*train, "--device", "cpu") == 0
    run = max(Store.open(settings()).runs.all(kind="train"), key=lambda one: one.created_at)
    assert slim("evaluate", "--model", run.id, "--no-attention", "--device", "cpu") == 0
    capsys.readouterr()
    refit = ("train", "--mode", "last-layer", "--reference")
    for command in (("gradcam", "--model"), ("evaluate", "--model"), refit):
        assert slim(*command, run.id, "--device", "cpu") == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "--no-attention" in said
    about = json.loads((settings().home / "runs" / run.id / "model.json").read_text())
    assert about["network"]["refused"].startswith("networks_of_a_test:flat")
