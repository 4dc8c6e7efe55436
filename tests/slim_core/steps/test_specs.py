"""Specs: what a step may be asked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from slim_core.data.sets import made_for, make_set
from slim_core.errors import SpecRefusedError
from slim_core.models import efficientnet_lite
from slim_core.runs.trainings import default_model
from slim_core.steps.specs import STEPS, CurateSpec, EvaluateSpec, GradcamSpec, TrainSpec, parse_spec
from slim_core.training.config import CONVERGED, JTT_GRIDS, RECIPES, REGULARISED, recipe


def test_each_step_has_a_spec_of_its_kind_and_a_run_function():
    assert list(STEPS) == ["train", "gradcam", "preview", "space", "candidates", "curate", "evaluate"]
    for kind, step in STEPS.items():
        assert step.spec.model_fields["kind"].default == kind
        assert callable(step.load())


def test_steps_that_run_the_network_go_to_the_gpu_queue():
    assert {kind: step.queue for kind, step in STEPS.items()} == {
        "train": "gpu",
        "gradcam": "gpu",
        "preview": "gpu",
        "space": "cpu",
        "candidates": "cpu",
        "curate": "cpu",
        "evaluate": "gpu",
    }


@pytest.mark.parametrize(
    ("given", "situation"),
    [
        ({}, "reference"),
        ({"subset": "r-1"}, "scratch"),
        ({"subset": "r-1", "start": "reference", "reference": "r-0"}, "from-reference"),
        ({"subset": "r-1", "mode": "last-layer", "reference": "r-0"}, "last-layer"),
    ],
)
@pytest.mark.parametrize("model", ["small-resnet", "resnet50"])
def test_numbers_that_are_not_given_come_from_the_recipe_of_the_situation(model, given, situation):
    spec = parse_spec({"kind": "train", "dataset": "d", "model": model, **given})
    wanted = recipe(model, situation)
    assert isinstance(spec, TrainSpec)
    assert (spec.epochs, spec.lr, spec.batch_size) == (wanted.epochs, wanted.lr, wanted.batch_size)
    assert (spec.weight_decay, spec.schedule, spec.selection) == (
        wanted.weight_decay,
        wanted.schedule,
        wanted.selection,
    )
    assert spec.augmentation == wanted.augmentation


def test_every_model_has_a_recipe_for_every_situation():
    situations = {situation for _, situation in RECIPES}
    families = {family for family, _ in RECIPES}
    assert families == {"small-resnet", "pretrained", "photographs"}
    assert set(RECIPES) == {(family, s) for family in families for s in situations}
    assert families == set(CONVERGED) == set(JTT_GRIDS) == set(REGULARISED)


def test_a_number_that_is_given_stays_and_none_means_the_default():
    spec = TrainSpec(dataset="d", model="small-resnet", epochs=3, lr=None)
    assert spec.epochs == 3
    assert spec.lr == recipe("small-resnet", "reference").lr


def test_photographs_start_from_imagenet_and_the_demo_from_nothing():
    assert default_model(_at("demo")) == "small-resnet"
    assert default_model(_at("waterbirds")) == "resnet50"
    assert TrainSpec(dataset="d").weights == "imagenet"
    assert TrainSpec(dataset="d", model="small-resnet").weights == "none"


def test_a_demo_set_proposes_the_model_it_is_made_for():
    for name, model in [("patch", "small-resnet"), ("pictures", f"{efficientnet_lite.__name__}:lite0")]:
        assert default_model(_at("demo", made_for(make_set(name).marker()))) == model


def _at(data_format, model=""):
    """A data set, as far as a proposal looks at it."""
    return SimpleNamespace(format=data_format, report={"model": model})


def test_parents_are_named_by_role():
    train = TrainSpec(dataset="d", subset="r-s", start="reference", reference="r-m")
    assert train.parents() == {"reference": "r-m", "subset": "r-s"}
    assert CurateSpec(dataset="d", space="r-s", size=5).parents() == {"space": "r-s"}
    assert EvaluateSpec(dataset="d", model="r-m", space="r-t").parents() == {"model": "r-m", "space": "r-t"}


def test_what_a_model_sees_may_be_typed_as_one_text():
    spec = TrainSpec(dataset="d", mean="0.5,0.4,0.3", std="1,1,2")
    assert (spec.mean, spec.std) == ((0.5, 0.4, 0.3), (1.0, 1.0, 2.0))


def test_a_model_that_is_registered_has_no_hyper_parameters():
    spec = TrainSpec(dataset="d", mode="registered", checkpoint="/m.pt")
    assert spec.without_effect() >= {"epochs", "lr", "objective", "objective_options", "weights"}
    assert not spec.without_effect() & {"model", "checkpoint", "mean", "image_size"}
    assert TrainSpec(dataset="d").without_effect() == frozenset()


def test_a_spec_survives_its_journey_as_json():
    spec = TrainSpec(dataset="d", subset="r-s", mean=(0.5, 0.4, 0.3))
    assert parse_spec(spec.model_dump(mode="json")) == spec


def test_a_spec_of_version_1_is_recorded_as_it_always_was_and_a_later_one_names_its_version(monkeypatch):
    spec = TrainSpec(dataset="d", subset="r-s")
    assert spec.record() == spec.model_dump(mode="json")

    monkeypatch.setattr("slim_core.steps.specs.SPEC_VERSION", 2)
    assert spec.record() == spec.model_dump(mode="json") | {"spec_version": 2}
    assert parse_spec(spec.record()) == parse_spec(spec.model_dump(mode="json")) == spec


def test_equal_specs_have_equal_fingerprints_whatever_the_order_of_their_fields():
    one = parse_spec({"kind": "gradcam", "dataset": "d", "model": "m"})
    two = parse_spec({"model": "m", "splits": ["train", "val", "test"], "dataset": "d", "kind": "gradcam"})
    assert one.fingerprint == two.fingerprint
    assert one.fingerprint != parse_spec({"kind": "gradcam", "dataset": "d", "model": "n"}).fingerprint


def test_a_spec_cannot_be_changed():
    with pytest.raises(ValidationError):
        GradcamSpec(dataset="d", model="m").model = "other"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"kind": "train", "dataset": "d", "spec_version": 2},
            "version 1: .*restart .*`python -m workers`.*then",
        ),
        ({"kind": "train", "dataset": "d", "spec_version": "x"}, "is of version 'x', this code reads"),
        ({"dataset": "d"}, "kind, one of train, gradcam"),
        ({"kind": "trane"}, "step 'trane': choose one of train, gradcam"),
        ({"kind": "train"}, "A train step needs the field 'dataset': give it."),
        ({"kind": "train", "dataset": "d", "epoch": 3}, r"A train step has no field 'epoch': take epochs\.$"),
        ({"kind": "train", "dataset": "d", "colour": 3}, "A train step has no field 'colour': choose from .* epochs, "),
        (
            {"kind": "train", "dataset": "d", "epochs": 0},
            "from 1 to 10000\\.$",
        ),
        ({"kind": "train", "dataset": "d", "lr": "fast"}, "lr = 'fast': give a number above 0"),
        ({"kind": "train", "dataset": "d", "lr": -1.0}, "lr = -1.0: give a number above 0"),
        ({"kind": "train", "dataset": "d", "selection": "best"}, "selection = 'best': choose one of worst_class, "),
        ({"kind": "train", "dataset": "d", "objective_options": {"eta": 1}}, "objective erm has no option 'eta'"),
        ({"kind": "train", "dataset": "d", "start": "reference"}, "to start from"),
        ({"kind": "train", "dataset": "d", "reference": "r-1"}, "scratch; use start="),
        (
            {"kind": "gradcam", "dataset": "d", "model": "m", "splits": ["dev"]},
            r"= 'dev': choose one of train, val, test\.$",
        ),
        ({"kind": "space", "dataset": "d", "attention": "a", "k_min": 9}, "k_min: 9 is above k_max 8"),
        ({"kind": "curate", "dataset": "d", "space": "s", "size": 0}, "A curate step refuses size = 0"),
        ({"kind": ["train"], "dataset": "d"}, "step \\['train'\\]: choose one of train, gradcam"),
        (
            {"kind": "train", "dataset": "d", "lr": float("inf")},
            "lr = inf: give a number above 0",
        ),
        ({"kind": "train", "dataset": "d", "weight_decay": float("nan")}, "A train step refuses weight_decay = nan"),
        (
            {"kind": "train", "dataset": "d", "seed": 2**32},
            "from 0 to below 4294967296",
        ),
        ({"kind": "train", "dataset": 5}, r"A train step refuses dataset = 5: give a text\.$"),
        ({"kind": "train", "dataset": "d", "refit_options": "x"}, "= 'x': give names with"),
        ({"kind": "curate", "dataset": "d", "space": "s", "size": 9, "gammas": []}, r"= \[\]: give at least 1\.$"),
        (
            {"kind": "train", "dataset": "d", "weights": "/etc/x.pt"},
            "refuses weights = '/etc/x.pt': choose one of imagenet, none",
        ),
        ({"kind": "curate", "dataset": "d", "space": "s", "size": 9, "gammas": [1e999]}, "refuses gammas.0 = inf"),
        (
            {"kind": "train", "dataset": "d", "model": "resnet5O"},
            "model, use small-resnet, resnet50 or another torch",
        ),
        (
            {"kind": "gradcam", "dataset": "d", "model": "m", "splits": ["val", "val"]},
            "gradcam step refuses splits = .*: name each split",
        ),
        ({"kind": "curate", "dataset": "d", "space": "s", "size": 9, "answers_seq": 10**30}, "refuses answers_seq = 1"),
        ({"kind": "gradcam", "dataset": "d", "model": "m", "shapes_seq": 10**30}, "refuses shapes_seq = 1"),
        ({"kind": "evaluate", "dataset": "d", "model": "m", "split": "dev"}, "An evaluate step refuses split = 'dev'"),
        ({"kind": "train", "dataset": "d", "model": "nosuch"}, "refuses model = 'nosuch': there is no"),
        (
            {"kind": "train", "dataset": "d", "mode": "registered"},
            "was trained elsewhere",
        ),
        (
            {"kind": "train", "dataset": "d", "mode": "registered", "checkpoint": "m.pt", "subset": "r-1"},
            "mode registered ignores",
        ),
        ({"kind": "train", "dataset": "d", "std": [1, 0, 1]}, "numbers above 0"),
        (
            {"kind": "train", "dataset": "d", "mean": "124,117,104"},
            "0 to 1",
        ),
        ({"kind": "train", "dataset": "d", "mean": "0.5,0.4"}, "refuses mean = '0.5,0.4': give"),
        ({"kind": "preview", "dataset": "d", "model": "m", "images": 0}, "A preview step refuses images = 0"),
        (
            {"kind": "train", "dataset": "d", "processes": 9, "batch_size": 16},
            "from batches of 16; take a batch_size",
        ),
        (
            {"kind": "train", "dataset": "d", "mode": "last-layer", "reference": "r-1", "processes": 2},
            "mode last-layer ignores",
        ),
        (
            {"kind": "train", "dataset": "d", "objective": "dro"},
            "refuses objective = 'dro': choose one of erm, .*group-dro",  # tests add and remove some: in any order
        ),
    ],
)
def test_a_spec_that_cannot_be_is_refused_in_one_sentence(given, sentence):
    with pytest.raises(SpecRefusedError, match=sentence) as refused:
        parse_spec(given)
    assert "\n" not in str(refused.value)


def test_processes_are_no_part_of_what_is_trained():
    one, two = (TrainSpec(dataset="d", **given) for given in ({}, {"processes": 2}))
    assert one.fingerprint != two.fingerprint
    assert one.trained_with() == two.trained_with()


# what of a spec was chosen, and what came by itself


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
