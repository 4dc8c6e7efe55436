"""Names of runs that nobody names: unlike those of other runs of the same step and data set."""

from __future__ import annotations

import pytest

from slim_core.steps.specs import STEPS, EvaluateSpec, GradcamSpec, SpaceSpec, TrainSpec
from slim_core.store.runs.rows import MOST_NAMED, TITLES, default_name, is_default


def test_trainings_that_nobody_names_are_told_apart_by_network_and_seed(store, dataset) -> None:
    asked = [("small-resnet", 0), ("small-resnet", 1), ("resnet18", 1)]
    runs = [store.runs.submit(TrainSpec(dataset=dataset.id, model=model, seed=seed))[0] for model, seed in asked]
    assert [one.name for one in runs] == [f"Training on digits: {model}, seed {seed}" for model, seed in asked]


def test_every_step_has_a_title() -> None:
    assert set(STEPS) == set(TITLES)


def test_what_follows_a_training_is_named_by_it_and_by_its_split(store, dataset) -> None:
    unnamed, _ = store.runs.submit(TrainSpec(dataset=dataset.id, model="small-resnet", seed=3))
    named, _ = store.runs.submit(TrainSpec(dataset=dataset.id, model="small-resnet"), name="Reference: early")
    maps, _ = store.runs.submit(GradcamSpec(dataset=dataset.id, model=unnamed.id))
    space, _ = store.runs.submit(SpaceSpec(dataset=dataset.id, attention=maps.id, split="val"))
    evaluation, _ = store.runs.submit(EvaluateSpec(dataset=dataset.id, model=named.id, split="test"))
    assert maps.name == "Attention maps on digits: small-resnet, seed 3"
    assert space.name == "Attention space on digits: small-resnet, seed 3, val"
    assert evaluation.name == "Evaluation on digits: Reference: early, test"


@pytest.mark.parametrize(
    ("spec", "rests_on", "name"),
    [
        ({"kind": "train", "model": "lab.nets:lite0", "seed": 0}, None, "Training on birds: lite0, seed 0"),
        (
            {"kind": "train", "model": "resnet18", "seed": 1},
            "By slim",
            "Training on birds: By slim, seed 1",
        ),
        ({"kind": "curate", "strategy": "random", "seed": 2}, "Space", "Subset on birds: Space, random, seed 2"),
        ({"kind": "gradcam", "seed": 0}, "x" * 200, f"Attention maps on birds: {'x' * (MOST_NAMED - 1)}…"),
        ({"kind": "gradcam", "seed": 0}, None, "Attention maps on birds"),
    ],
)
def test_a_default_name_has_what_tells_the_run_apart(spec, rests_on, name) -> None:
    assert default_name(spec, "birds", rests_on) == name


def test_a_run_that_somebody_named_has_no_default_name() -> None:
    assert is_default("Attention maps on birds: Space", "gradcam") and not is_default("Maps for ann", "gradcam")
