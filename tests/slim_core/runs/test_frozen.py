"""A loop of last layers: one on a pretrained network, and its refits, from features that are computed once."""

from __future__ import annotations

import sys
import types
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from slim_core import api
from slim_core.annotation.plan import create_campaign
from slim_core.annotation.simulated_annotator import simulate_answers
from slim_core.curation import default_subset_size
from slim_core.errors import SlimError, SpecRefusedError
from slim_core.evaluation.comparison import Ancestry, method_of
from slim_core.models.names import SMALL_RESNET
from slim_core.runs.executor import Workbench
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import Loop
from slim_core.runs.trainings import (
    PROBE,
    passes_for_fit,
    retrain_spec,
    usual_curation,
    usual_fit,
    usual_retraining,
    usual_way,
    without_answers,
)
from slim_core.steps.specs import parse_spec
from tests.refusals import refusal

MODEL = "frozen_network_of_a_test:small"


class Small(nn.Module):
    """Conv, mean, linear: features that nobody trains."""

    image_size, mean, std = 24, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(3)
        self.conv = nn.Sequential(nn.Conv2d(3, 16, 5, stride=2, padding=2), nn.ReLU())
        self.conv[0].weight.data = torch.randn(self.conv[0].weight.shape, generator=random) / 5
        self.head = nn.Linear(16, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.conv(images).mean((2, 3)))
        return found


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("frozen_network_of_a_test")
    module.small = Small  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture
def loop(workbench: Workbench, demo_folder: Path) -> Loop:
    dataset = api.data_set(demo_folder, at=workbench)
    return Loop(workbench, LoopConfig(dataset=dataset.id, model=MODEL, frozen=True, size=60))


@pytest.mark.slow
def test_everything_but_the_last_layer_stays_as_the_pretrained_network_has_it(loop: Loop) -> None:
    outcomes = {name: loop.outcome(name) for name in ("erm", "slim", "random", "jtt")}
    weights = {name: load_file(_folder(loop, one.model.id) / "weights.safetensors") for name, one in outcomes.items()}
    for name, found in weights.items():
        torch.testing.assert_close(found["conv.0.weight"], Small(2).conv[0].weight, atol=0, rtol=0)
        assert name == "erm" or not torch.equal(found["head.weight"], weights["erm"]["head.weight"])
    assert outcomes["erm"].model.id == loop.reference.id and loop.reference.spec["reference"] is None
    assert outcomes["slim"].n_images == outcomes["random"].n_images == 60
    assert outcomes["slim"].n_answers > 0 == outcomes["jtt"].n_answers
    again = api.retrain(outcomes["slim"].subset.id, seed=0, at=loop.at)
    assert again.spec["mode"] == "last-layer", "what the loop does with a probe, done by hand where nobody says how"
    jtt = outcomes["jtt"].model.spec
    assert (jtt["refit"], jtt["reference"]) == ("jtt", loop.reference.id)
    of_network = [run for run in loop.at.store.runs.all() if run.kind == "gradcam"]
    assert [run.id for run in of_network] == [loop.attention.id], "one pass serves all"


@pytest.mark.slow
def test_answers_enter_the_fit_where_nobody_says_otherwise(loop: Loop) -> None:
    store, usual = loop.store, loop.outcome("slim")
    subset = usual.subset
    asked = {name: subset.spec[name] for name in ("campaign", "answers_seq")}
    options = usual.model.spec["refit_options"]
    assert usual.model.spec["refit"] == "answered" and asked.items() <= options.items()
    assert usual.model.name == "Retrained on slim (last layer with answers), seed 0"
    assert method_of(usual.model, subset) == "SLIM, last layer with answers"
    parents = {(role, run.id) for role, run in store.runs.parents(usual.model.id)}
    assert {("answered", loop.campaign.space_run_id), ("subset", subset.id)} <= parents
    assert usual.n_answers > 0 and usual.model.metrics["answered"] == {loop.campaign.id: usual.n_answers}
    assert Ancestry.read(store, subset.dataset_id).labels_used(usual.model, has_groups=True) == "answers"
    alone = loop.retrained(subset)
    assert alone.spec["refit"] == "l2"
    layers = [load_file(_folder(loop, run.id) / "weights.safetensors")["head.weight"] for run in (usual.model, alone)]
    assert not torch.allclose(*layers), "the answers change the layer that the subset alone gives"
    by_hand = api.retrain(subset.id, at=loop.at)
    assert by_hand.id == usual.model.id, "what somebody gets who retrains by hand and says nothing"
    heavier = api.retrain(subset.id, refit_options={"weight": 0.03}, at=loop.at).spec
    assert heavier["refit_options"] == {**options, "weight": 0.03}
    assert api.retrain(subset.id, refit="l2", at=loop.at).spec["refit"] == "l2"
    plain = without_answers(usual.model.spec)
    assert plain == usual.model.spec | {"refit": "l2", "refit_options": alone.spec["refit_options"]}
    assert without_answers(plain) == plain
    again = api.gradcam(usual.model.id, at=loop.at)  # a second round: people are asked about the retrained model
    second = create_campaign(store, api.make_space(again.id, at=loop.at), share=0.05, seed=1, name="second round")
    simulate_answers(store, second.id)
    spec = usual_retraining(store, api.curate(second.id, at=loop.at))
    assert (spec.refit, spec.reference, spec.refit_options["campaign"]) == ("answered", usual.model.id, second.id)
    assert spec.attention == again.id


@pytest.mark.slow
def test_a_retraining_reads_the_features_of_the_pass_that_its_subset_rests_on(loop: Loop) -> None:
    store, subset = loop.store, loop.subset("random")
    assert usual_retraining(store, subset).attention == loop.attention.id
    refit = api.retrain(subset.id, at=loop.at)
    assert usual_retraining(store, subset, reference=refit).attention == loop.attention.id, "its lower layers are those"
    assert usual_retraining(store, subset, fields={"attention": None}).attention is None
    assert usual_retraining(store, subset, way="reference").attention is None, "a whole network reads the images"
    other = api.train(loop.config.dataset, model=SMALL_RESNET, epochs=1, at=loop.at)
    assert usual_retraining(store, subset, reference=other, way="last-layer").attention is None
    of_train = api.gradcam(loop.reference.id, splits=("train",), at=loop.at)
    elsewhere = api.curate(space=api.make_space(of_train.id, at=loop.at).id, strategy="random", at=loop.at)
    assert usual_retraining(store, elsewhere).attention is None, "the penalty is chosen on val, which it has not seen"
    assert [run.id for run in passes_for_fit(store, refit)] == [loop.attention.id]


@pytest.mark.slow
def test_the_usual_fit_is_as_the_reference_was_fitted_where_no_answer_can_enter_it(loop: Loop) -> None:
    store, reference, subset = loop.store, loop.reference, loop.outcome("slim").subset
    spec = usual_retraining(store, loop.subset("slim", is_answered=False))
    assert (spec.refit, spec.reference) == ("l2", reference.id)
    unsure = create_campaign(store, loop.space, share=0.05, seed=4, name="unsure")
    simulate_answers(store, unsure.id, unsure=1.0)
    of_layer = api.make_space(api.gradcam(reference.id, target_layer="conv.0", at=loop.at).id, at=loop.at)
    below = create_campaign(store, of_layer, share=0.05, seed=4, name="about another layer")
    simulate_answers(store, below.id)
    for campaign in (unsure.id, below.id, "c-gone"):
        assert not usual_fit(store, reference, replace(subset, spec=subset.spec | {"campaign": campaign})), campaign
    for strategy in ("slim-reference", "random"):
        assert not usual_fit(store, reference, replace(subset, spec=subset.spec | {"strategy": strategy}))
    for other in ({"refit": "dfr"}, {"mode": "full"}):
        assert not usual_fit(store, replace(reference, spec=reference.spec | other), subset)
    strengths = [0.5, 0.05]
    given = replace(reference, spec=reference.spec | {"refit_options": {"strengths": strengths}})
    assert usual_fit(store, given, subset)["refit_options"]["strengths"] == strengths, "those that were tried before"


@pytest.mark.slow
def test_answers_in_the_fit_are_refused_where_they_are_about_the_attention_of_another_network(loop: Loop) -> None:
    another = loop.trained("Another probe", mode="last-layer", refit="dfr")
    options = {"campaign": loop.campaign.id}
    before = len(loop.store.runs.all())
    with refusal(SlimError, another.id, loop.reference.id):
        api.refit_last_layer(another.id, refit="answered", refit_options=options, at=loop.at)
    assert len(loop.store.runs.all()) == before, "refused when it was submitted"


@pytest.mark.slow
def test_answers_in_the_fit_are_refused_where_they_are_about_the_maps_of_another_layer(loop: Loop) -> None:
    below = api.gradcam(loop.reference.id, target_layer="conv.0", at=loop.at)
    space = api.make_space(below.id, at=loop.at)
    asked = create_campaign(loop.store, space, share=0.05, seed=1, name="about another layer")
    simulate_answers(loop.store, asked.id)
    with pytest.raises(SlimError, match="does not see"):
        api.refit_last_layer(loop.reference.id, refit="answered", refit_options={"campaign": asked.id}, at=loop.at)


@pytest.mark.slow
def test_answers_in_the_fit_are_refused_before_a_run_where_nobody_has_answered(loop: Loop) -> None:
    asked = create_campaign(loop.store, loop.space, share=0.05, seed=5, name="not yet")
    before = len(loop.store.runs.all())
    with pytest.raises(SlimError, match="that says right"):
        api.refit_last_layer(loop.reference.id, refit="answered", refit_options={"campaign": asked.id}, at=loop.at)
    assert len(loop.store.runs.all()) == before


@pytest.mark.slow
def test_draws_of_a_loop_share_its_reference_and_ask_and_choose_anew(loop: Loop) -> None:
    other = Loop(loop.at, loop.config.model_copy(update={"draw": 1}))
    first, second = loop.outcome("slim"), other.outcome("slim")
    assert (other.reference.id, other.attention.id, other.space.id) == (
        loop.reference.id,
        loop.attention.id,
        loop.space.id,
    )
    assert other.campaign.id != loop.campaign.id and first.subset.id != second.subset.id
    again = Loop(loop.at, loop.config.model_copy(update={"draw": 1})).outcome("slim")
    assert again.evaluation.id == second.evaluation.id, "a draw is found again"


@pytest.mark.slow
def test_of_a_probe_half_of_the_images_are_balanced_twice_where_nobody_says_otherwise(loop: Loop) -> None:
    usual = Loop(loop.at, LoopConfig(dataset=loop.config.dataset, model=MODEL, frozen=True))
    n = len(usual.table.rows("train"))
    subset = usual.subset("slim")
    assert (subset.spec["size"], subset.spec["options"]["environments"]) == (n // 2, "both")
    assert usual.subset("random").spec["size"] == n // 2
    by_hand = api.curate(usual.campaign.id, at=loop.at)
    assert by_hand.id == subset.id, "what somebody gets who curates by hand and sets nothing"
    once = api.curate(usual.campaign.id, size=60, options={"environments": "space"}, at=loop.at)
    assert (once.spec["size"], once.spec["options"].get("environments", "space")) == (60, "space")
    assert usual_curation(n, of_probe=False) == (default_subset_size(n), {})


@pytest.mark.slow
def test_kept_features_give_the_metrics_that_the_images_give(loop: Loop) -> None:
    by_features = loop.outcome("random").evaluation
    model = by_features.spec["model"]
    by_images = api.evaluate(model, attention=False, seed=1, at=loop.at)
    assert by_features.spec["features"] == loop.attention.id and not by_images.spec.get("features")
    assert by_features.metrics["average"] == pytest.approx(by_images.metrics["average"], abs=0.02)
    parents = {role: run.id for role, run in loop.at.store.runs.parents(by_features.id)}
    assert parents == {"model": model, "features": loop.attention.id}
    another = loop.trained("Another probe", mode="last-layer", refit="dfr")
    other = api.gradcam(another.id, at=loop.at)
    with pytest.raises(SlimError, match="the reference model"):
        api.evaluate(model, attention=False, features=other.id, at=loop.at)


@pytest.mark.slow
def test_a_probe_is_a_reference_model_and_uses_no_labels_beyond_the_classes(loop: Loop) -> None:
    probe = loop.reference
    refitted = api.refit_last_layer(at=loop.at, refit="l2")  # of the newest reference model
    assert refitted.spec["reference"] == probe.id
    ancestry = Ancestry.read(loop.at.store, probe.dataset_id)
    assert ancestry.labels_used(probe, has_groups=True) == "none"


def test_what_trains_the_whole_network_is_refused_before_any_work(loop: Loop) -> None:
    with pytest.raises(SpecRefusedError, match="group-dro trains the whole"):
        loop.require(["slim", "group-dro"])
    assert not loop.at.store.runs.all(dataset=loop.config.dataset)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"model": "small-resnet"}, "an untrained network"),
        ({"weights": "none"}, "take pretrained weights"),
        ({"attention": "r-1"}, "that attention refers"),
        ({"refit": "dfr", "subset": "r-1"}, "leave the subset"),
    ],
)
def test_a_probe_that_cannot_be_is_refused(fields, sentence) -> None:
    with pytest.raises(SpecRefusedError, match=sentence):
        parse_spec({"kind": "train", "dataset": "d-1", "model": "resnet18", "mode": "last-layer", **fields})


def test_an_evaluation_by_features_has_no_maps() -> None:
    with pytest.raises(SpecRefusedError, match="features: they hold"):
        parse_spec({"kind": "evaluate", "dataset": "d-1", "model": "r-1", "features": "r-2"})


def _folder(loop: Loop, run_id: str) -> Path:
    return loop.at.store.artifacts.folder(run_id)


def test_a_probe_is_retrained_as_it_was_fitted_and_a_whole_model_as_a_whole(loop: Loop) -> None:
    store, about = loop.store, {"kind": "train", "dataset": loop.config.dataset, "model": "resnet18", "seed": 3}
    probe, whole = (store.runs.submit(parse_spec({**about, **how}))[0] for how in (PROBE, {}))
    assert (usual_way(store, probe), usual_way(store, whole)) == ("last-layer", "reference")
    again = retrain_spec(probe, None, usual_way(store, probe), 3)
    assert (again.mode, again.refit, again.reference) == ("last-layer", "l2", probe.id)
    assert retrain_spec(probe, None, "last-layer", 3, {"refit": "dfr"}).refit == "dfr"
    assert retrain_spec(whole, None, "last-layer", 3).refit == "l1"


def test_a_refit_is_retrained_as_what_it_refits(loop: Loop) -> None:
    store, about = loop.store, {"kind": "train", "dataset": loop.config.dataset, "model": "resnet18", "seed": 3}
    for how, usual in ((PROBE, "last-layer"), ({}, "reference")):
        model, _ = store.runs.submit(parse_spec({**about, **how}))
        for refit in ("dfr", "l1"):  # the second of the first
            model, _ = store.runs.submit(retrain_spec(model, None, "last-layer", 3, {"refit": refit}))
            assert usual_way(store, model) == usual, "those below it were not trained here"


def test_attention_on_test_takes_the_images_in_place_of_kept_features(loop: Loop) -> None:
    asked: list[Any] = []
    at = SimpleNamespace(store=loop.store, run=lambda spec, name: asked.append(spec) or SimpleNamespace(id=name))
    for maps in (False, True):
        one = Loop(at, loop.config.model_copy(update={"maps_on_test": maps}))  # type: ignore[arg-type]
        one.__dict__.update(test_space=None, attention=SimpleNamespace(id="r-maps"))
        one.evaluation(SimpleNamespace(id="r-model", name="model"))  # type: ignore[arg-type]
    assert [(spec.attention, spec.features) for spec in asked] == [(False, "r-maps"), (True, None)]
