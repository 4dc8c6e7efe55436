"""Image classifiers of Hugging Face, made from their configs with random weights: report, maps and last layer."""

from __future__ import annotations

import sys
import types

import pytest
import torch

import slim_core
from slim_core.models.build import build
from slim_core.store.results import AttentionResult, ModelResult
from tests.placed_quickly import placed_quickly

transformers = pytest.importorskip("transformers")

SMALL = {"image_size": 64, "patch_size": 8, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
STAGES = {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "layer_type": "basic"}
WINDOWS = {"image_size": 64, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4}
MADE = {"ViT": SMALL | {"intermediate_size": 64}, "ResNet": STAGES, "Swin": WINDOWS}


@pytest.fixture(autouse=True)
def module(monkeypatch):
    """Functions as a user has them."""
    module = types.ModuleType("networks_of_hugging_face")
    for kind, options in MADE.items():
        config, network = (getattr(transformers, f"{kind}{part}") for part in ("Config", "ForImageClassification"))
        setattr(module, kind, lambda n, c=config, f=network, given=options: f(c(num_labels=n, **given)))
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.parametrize(("kind", "head"), [("ViT", "classifier"), ("ResNet", "classifier.1"), ("Swin", "classifier")])
def test_target_layer_and_last_layer_are_found(kind, head):
    model = build(f"networks_of_hugging_face:{kind}", 3, image_size=64)
    assert model.layout.facts.head == head and model.layout.facts.map_shape[1] >= 8
    assert model.net.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MADE)
def test_a_report_has_its_maps_and_its_last_layer_is_refitted(kind, looped):
    at = looped.at
    with placed_quickly():
        found = slim_core.report(f"networks_of_hugging_face:{kind}", looped.dataset.id, image_size=64, at=at)
    model = found.evaluation.spec["model"]
    assert ModelResult(at.store.artifacts.folder(model)).network and found.report.alone.slices
    passes = at.store.runs.all(kind="gradcam", dataset=looped.dataset.id)
    maps = next(run for run in passes if run.spec["model"] == model)
    assert AttentionResult(at.store.artifacts.folder(maps.id)).has_maps
    assert slim_core.refit_last_layer(model, refit="l2", at=at).status == "done"
