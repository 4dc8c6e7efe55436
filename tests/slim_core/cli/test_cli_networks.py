"""slim inspect, slim preview and slim register-model, as they are typed."""

from __future__ import annotations

import json
import re
import sys
import types

import pytest
import torch
from torch import nn

from slim_core.models.small_resnet import SmallResNet
from slim_core.settings import settings
from slim_core.store import Store
from tests.slim_core.cli.commands import slim


@pytest.fixture
def home(looped, monkeypatch):
    """The store of the looped fixture as SLIM_HOME."""
    monkeypatch.setenv("SLIM_HOME", str(looped.at.store.settings.home))
    settings.cache_clear()
    yield looped.at.store.settings.home
    settings.cache_clear()


@pytest.mark.slow
def test_a_network_is_inspected_by_its_name_and_by_the_run_that_trained_it(home, looped, tmp_path, capsys):
    assert slim("inspect", "vit_b_32", "--image-size", 64, "--json", tmp_path / "facts.json") == 0
    said = capsys.readouterr().out
    assert "the layer encoder.layers.encoder_layer_11.ln_1 (768 channels, 2 x 2)" in said
    assert "Each map takes one backward pass (Grad-CAM), because the head is not" in said
    assert "Head: heads.head." in said and "centre crop of 64 x 64 px" in said
    assert json.loads((tmp_path / "facts.json").read_text())["network"]["path"] == "gradient"
    assert slim("inspect", looped.loop.reference.id, "--target-layer", "stages.1") == 0
    assert "the layer stages.1 (32 channels, 16 x 16)" in capsys.readouterr().out


def test_a_trained_model_is_not_inspected_at_another_image_size(home, looped, capsys):
    model = looped.loop.reference.id
    assert slim("inspect", model, "--image-size", 96) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"{model} keeps the image size that it was trained with: leave --image-size out." in said


def test_a_preview_says_where_its_picture_is_and_what_comes_next(home, looped, capsys):
    model = looped.loop.reference.id
    assert slim("preview", "--model", model, "--split", "test", "--images", 4, "--device", "cpu") == 0
    said = " ".join(capsys.readouterr().out.split())
    run = max(Store.open(settings()).runs.all(kind="preview"), key=lambda one: one.created_at)
    assert f"{home}/runs/{run.id}/preview.png" in said and f"next: slim gradcam --model {model}" in said


def test_the_pass_after_a_preview_is_of_the_layer_and_by_the_method_that_were_previewed(home, looped, capsys):
    model = looped.loop.reference.id
    asked = ("--target-layer", "stages.1", "--method", "eigen-cam")
    assert slim("preview", "--model", model, "--split", "test", "--images", 2, "--device", "cpu", *asked) == 0
    assert f"next: slim gradcam --model {model} --target-layer stages.1 --method eigen-cam" in capsys.readouterr().out


def test_a_model_is_registered_and_the_next_command_previews_it(home, looped, tmp_path, capsys):
    torch.save(SmallResNet(2).state_dict(), tmp_path / "m.pt")
    options = ("--data", looped.dataset.id, "--mean", "0.5,0.5,0.5", "--name", "Theirs", "--device", "cpu")
    assert slim("register-model", tmp_path / "m.pt", "--model", "small-resnet", *options) == 0
    run = max(Store.open(settings()).runs.all(kind="train"), key=lambda one: one.created_at)
    assert (run.name, run.spec["mode"], run.spec["mean"]) == ("Theirs", "registered", [0.5, 0.5, 0.5])
    told = capsys.readouterr().out
    assert f"next: slim preview --model {run.id}" in told
    classes = looped.at.store.datasets.table(looped.dataset.id).label_names
    assert f"its outputs are taken to be, in this order: {', '.join(classes)}\n" in told


def test_a_step_that_was_done_before_says_so_and_how_it_is_done_again(home, looped, capsys):
    options = ("preview", "--model", looped.loop.reference.id, "--split", "val", "--images", 2, "--device", "cpu")
    assert slim(*options) == 0
    assert "Done before" not in capsys.readouterr().err
    assert slim(*options) == 0
    assert re.search(r"Done before, on \d{4}-\d\d-\d\d \d\d:\d\d: --force runs it again\.", capsys.readouterr().err)
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


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("inspect", "resnet5O"), "There is no model 'resnet5O': use small-resnet, resnet50"),
        (("inspect", "timm:resnet19"), "timm"),
        (
            ("inspect", "timm:convnext_tiny_in22ft1k"),
            "timm has renamed 'convnext_tiny_in22ft1k': take timm:convnext_tiny.fb_in22k_ft_in1k.",
        ),
        (
            ("inspect", "timm:vit_base_patch16_224_in21k"),
            "timm has renamed 'vit_base_patch16_224_in21k': take timm:vit_base_patch16_224.augreg_in21k.",
        ),
        (
            ("inspect", "no_such_module:net"),
            "The module no_such_module of the model no_such_module:net does not import",
        ),
        (("inspect", "networks_of_a_test:text"), "returned a str: it must return a torch.nn.Module"),
        (
            ("inspect", "networks_of_a_test:flat"),
            "has no layer with a map over image positions on which its prediction",
        ),
        (
            ("inspect", "small-resnet", "--target-layer", "fc"),
            "The layer fc of small-resnet has no map over image posi",
        ),
        (("register-model", "nothing.pt", "--model", "small-resnet"), "nothing.pt: check the path"),
    ],
)
@pytest.mark.usefixtures("home", "module")
def test_what_cannot_be_is_one_sentence_and_exit_code_2(command, sentence, capsys):
    assert slim(*command) == 2
    said = capsys.readouterr().err
    assert sentence in " ".join(said.split()) and "Traceback" not in said


@pytest.mark.slow
@pytest.mark.usefixtures("home", "module")
def test_a_network_without_a_map_is_trained_and_evaluated_and_says_why_it_has_no_attention(looped, capsys):
    train = ("train", "--data", looped.dataset.id, "--model", "networks_of_a_test:flat", "--epochs", 1, "--lr", 0.01)
    assert slim(*train, "--device", "cpu") == 0
    run = max(Store.open(settings()).runs.all(kind="train"), key=lambda one: one.created_at)
    assert slim("evaluate", "--model", run.id, "--no-attention", "--device", "cpu") == 0
    capsys.readouterr()
    refit = ("train", "--mode", "last-layer", "--reference")
    for command in (("preview", "--model"), ("gradcam", "--model"), ("evaluate", "--model"), refit):
        assert slim(*command, run.id, "--device", "cpu") == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "no attention to show and no features to refit its last layer on: evaluate it without attention " in said
        assert "(--no-attention), retrain the whole model, or take another network." in said
    about = json.loads((settings().home / "runs" / run.id / "model.json").read_text())
    assert about["network"]["refused"].startswith("networks_of_a_test:flat has no layer with a map")
