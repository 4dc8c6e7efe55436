"""What of a spec was chosen, and what came by itself."""

from __future__ import annotations

from slim_core.steps.specs import GradcamSpec, TrainSpec, parse_spec
from slim_core.training.config import RECIPES


def test_a_spec_of_defaults_has_changed_nothing() -> None:
    assert TrainSpec(dataset="d", model="small-resnet").changed() == {}
    assert GradcamSpec(dataset="d", model="r-1").changed() == {}


def test_changed_fields_are_told_with_what_they_would_have_been() -> None:
    recipe = RECIPES["small-resnet", "reference"]
    spec = TrainSpec(dataset="d", model="small-resnet", lr=0.5, epochs=40, seed=3)
    assert spec.changed() == {"lr": recipe.lr, "epochs": recipe.epochs, "seed": 0}  # milestones follow the epochs


def test_defaults_are_those_of_the_situation() -> None:
    spec = parse_spec(
        {"kind": "train", "dataset": "d", "model": "small-resnet", "start": "reference", "reference": "r"}
    )
    assert spec.defaults()["epochs"] == RECIPES["small-resnet", "from-reference"].epochs
    assert spec.changed() == {"start": "scratch"}


def test_what_the_step_works_on_is_no_choice() -> None:
    spec = parse_spec(
        {"kind": "curate", "dataset": "d", "space": "r", "campaign": "c", "size": 9, "strategy": "random"}
    )
    assert spec.inputs() >= {"dataset", "space", "campaign", "answers_seq", "size"}
    assert spec.changed() == {"strategy": "slim"}
