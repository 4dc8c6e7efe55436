"""Names of runs that nobody names: unlike those of other runs of the same step and data set."""

from __future__ import annotations

import pytest

from slim_core.steps.specs import EvaluateSpec, GradcamSpec, SpaceSpec, TrainSpec
from slim_core.store.runs.default_name import MOST, default_name


def test_trainings_that_nobody_names_are_told_apart_by_network_and_seed(store, dataset) -> None:
    asked = [("small-resnet", 0), ("small-resnet", 1), ("resnet18", 1)]
    runs = [store.runs.submit(TrainSpec(dataset=dataset.id, model=model, seed=seed))[0] for model, seed in asked]
    assert [one.name for one in runs] == [f"train on digits: {model}, seed {seed}" for model, seed in asked]


def test_what_follows_a_training_is_named_by_it_and_by_its_split(store, dataset) -> None:
    unnamed, _ = store.runs.submit(TrainSpec(dataset=dataset.id, model="small-resnet", seed=3))
    named, _ = store.runs.submit(TrainSpec(dataset=dataset.id, model="small-resnet"), name="Reference: early")
    maps, _ = store.runs.submit(GradcamSpec(dataset=dataset.id, model=unnamed.id))
    space, _ = store.runs.submit(SpaceSpec(dataset=dataset.id, attention=maps.id, split="val"))
    evaluation, _ = store.runs.submit(EvaluateSpec(dataset=dataset.id, model=named.id, split="test"))
    assert maps.name == "gradcam on digits: small-resnet, seed 3"
    assert space.name == "space on digits: small-resnet, seed 3, val"
    assert evaluation.name == "evaluate on digits: Reference: early, test"


@pytest.mark.parametrize(
    ("spec", "rests_on", "name"),
    [
        ({"kind": "train", "model": "lab.nets:lite0", "seed": 0}, None, "train on birds: lite0, seed 0"),
        ({"kind": "train", "model": "resnet18", "seed": 1}, "Subset by slim", "train on birds: Subset by slim, seed 1"),
        ({"kind": "curate", "strategy": "random", "seed": 2}, "Space", "curate on birds: Space, random, seed 2"),
        ({"kind": "gradcam", "seed": 0}, "x" * 200, f"gradcam on birds: {'x' * (MOST - 1)}…"),
        ({"kind": "gradcam", "seed": 0}, None, "gradcam on birds"),
    ],
)
def test_a_default_name_has_what_tells_the_run_apart(spec, rests_on, name) -> None:
    assert default_name(spec, "birds", rests_on) == name
