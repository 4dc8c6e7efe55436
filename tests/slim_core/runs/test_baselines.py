"""What stands beside SLIM: the runs each baseline makes, and which labels these use."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from slim_core import removed
from slim_core.errors import NothingToRepeatError, SlimError, SpecRefusedError
from slim_core.evaluation.comparison import Ancestry
from slim_core.metrics import WGA, WORST_CLASS
from slim_core.models import efficientnet_lite
from slim_core.runs import methods
from slim_core.runs.loop_runs import LoopConfig, LoopRuns
from slim_core.runs.methods import METHODS, Loop, best_on_validation, register, require_known
from slim_core.training.config import jtt_grid, regularised, to_convergence
from slim_core.training.objectives import Jtt

BASELINES = ("class-balanced", "jtt", "cnc", "dfr", "group-dro")


@pytest.fixture(scope="module")
def outcomes(looped):
    return {method: looped.loop.outcome(method) for method in BASELINES}


@pytest.mark.slow
@pytest.mark.parametrize("method", BASELINES)
def test_the_labels_that_a_table_shows_are_those_that_the_runs_used(looped, outcomes, method):
    ancestry = Ancestry.read(looped.at.store, looped.dataset.id)
    used = ancestry.labels_used(outcomes[method].model, has_groups=True)
    assert outcomes[method].labels_used == METHODS[method].labels_used == used


@pytest.mark.slow
def test_jtt_keeps_the_better_of_its_grid_and_pays_for_all_of_it(looped, outcomes):
    runs = looped.at.store.runs.all(kind="train")
    seconds = [run for run in runs if run.spec["objective"] == "jtt"]
    tried = {(run.spec["objective_options"]["upweight"]) for run in seconds}
    assert tried == {upweight for _, upweight in jtt_grid("small-resnet")}
    assert outcomes["jtt"].model.id == best_on_validation(seconds[::-1]).id
    assert outcomes["jtt"].seconds > sum(run.seconds for run in seconds)
    firsts = {run.spec["objective_options"]["errors_of"] for run in seconds}
    assert all(looped.at.store.runs.fetch(one).spec["selection"] == "last" for one in firsts)


def jtt_whose_second_trainings_fail(looped, fails):
    """What JTT of two first trainings comes to; ``fails``: first training -> the error of its second."""
    free = Loop(looped.at, LoopConfig(dataset=looped.dataset.id, size=60))

    def trained(_name, *, epochs, objective_options=None, **_fields):
        if objective_options is None:
            return SimpleNamespace(id=f"first of {epochs}", spec={"model": "small-resnet", "epochs": epochs})
        if error := fails(objective_options["errors_of"]):
            raise error
        return SimpleNamespace(id=f"errors of {objective_options['errors_of']}", metrics=None)

    free.trained = trained
    return METHODS["jtt"].train(free)


def without_errors(run_id):
    """What a run fails with that repeats the errors of one that makes none."""
    with pytest.raises(NothingToRepeatError) as refused:
        Jtt.repeats({"errors_of": run_id, "upweight": 5}, np.zeros(2), lambda _run: np.zeros(2))
    return refused.value


def test_jtt_goes_on_where_one_of_its_first_trainings_makes_no_error_and_pays_for_it(looped):
    (short, _), (long, _) = jtt_grid("small-resnet")
    found = jtt_whose_second_trainings_fail(looped, lambda run: without_errors(run) if str(long) in run else None)
    assert found.model.id == f"errors of first of {short}"
    assert [run.id for run in found.tried] == [f"first of {long}"]


def test_jtt_is_refused_where_no_first_training_makes_an_error_and_fails_as_its_runs_do_otherwise(looped):
    with pytest.raises(SpecRefusedError, match="repeat: .* after 5 epochs as after 15"):
        jtt_whose_second_trainings_fail(looped, without_errors)
    with pytest.raises(SlimError, match="No room is left"):
        jtt_whose_second_trainings_fail(looped, lambda _run: SlimError("No room is left"))
    same_words = SlimError("The earlier run r-1 predicts them correctly.")
    with pytest.raises(SlimError, match="r-1 predicts"):
        jtt_whose_second_trainings_fail(looped, lambda _run: same_words)


def test_epochs_that_a_method_is_about_are_its_own_whatever_the_epochs_of_the_loop(looped):
    config = LoopConfig(dataset=looped.dataset.id, reference_epochs=1, train={"epochs": 3, "batch_size": 32})
    free, asked = Loop(looped.at, config), []

    def run(spec, name):
        asked.append(spec)
        return SimpleNamespace(id=name, metrics=None, spec={"model": spec.model, "epochs": spec.epochs})

    free.at = SimpleNamespace(run=run)
    assert free.reference
    for method in ("jtt", "cnc", "erm"):
        METHODS[method].train(free)
    (short, _), (long, _) = jtt_grid("small-resnet")
    proxy, most = regularised("small-resnet")["epochs"], 3  # of CnC; and of any training to convergence
    assert [spec.epochs for spec in asked] == [1, *(short, most), *(long, most), *(proxy, most), most]
    assert {spec.batch_size for spec in asked} == {32}


def test_the_best_on_validation_is_the_first_of_equals_and_one_without_a_metric_the_worst():
    runs = [SimpleNamespace(metrics={"val": {WGA: value}}) for value in (None, 0.5, 0.7, 0.7)]
    assert best_on_validation(runs, WGA) is runs[2]
    assert best_on_validation([SimpleNamespace(metrics={"val": None})], WGA).metrics == {"val": None}


def test_training_to_convergence_has_a_patience_for_each_kind_of_network():
    for model in ("small-resnet", f"{efficientnet_lite.__name__}:lite0", "resnet50"):
        fields = to_convergence(model)
        assert 1 <= fields["patience"] < fields["epochs"]


def test_a_loop_without_epochs_takes_those_of_the_method(looped):
    free = Loop(looped.at, LoopConfig(dataset=looped.dataset.id, size=60))
    seen = []
    free.trained = lambda _name, **fields: seen.append(fields) or looped.loop.reference
    METHODS["erm"].train(free)
    METHODS["class-balanced"].train(free)
    assert seen[0] == to_convergence("small-resnet")
    assert seen[1] == {**to_convergence("small-resnet"), "sampling": "class-balanced"}


class RunsAtOnce:
    """In place of a workbench: each run is done at once, with the numbers that methods read."""

    by = "a test"

    def __init__(self, store):
        self.asked = []
        answers = SimpleNamespace(last_seq=lambda _campaign: 1)
        self.store = SimpleNamespace(datasets=store.datasets, lineage=store.lineage, answers=answers)

    def run(self, spec, name):
        self.asked.append(spec)
        numbers = {"epochs": 3, "images": 60, "val": {WORST_CLASS: 0.5}}
        run_id = f"r-{len(self.asked)}"
        return SimpleNamespace(id=run_id, name=name, dataset_id=spec.dataset, metrics=numbers, spec=spec.model_dump())


@pytest.mark.parametrize("method", METHODS)
def test_the_spaces_that_a_method_says_it_needs_are_those_that_it_asks_for(looped, method, monkeypatch):
    def campaign(_loop, space, *_):
        return SimpleNamespace(id="c-1", space_run_id=space.id)

    monkeypatch.setattr(LoopRuns, "answered_campaign", campaign)
    at = RunsAtOnce(looped.at.store)
    of_layers = {"model": "resnet18", "frozen": True} if METHODS[method].trains == "the last" else {}
    METHODS[method].train(LoopRuns(at, LoopConfig(dataset=looped.dataset.id, size=60, **of_layers)))
    asked = {spec.split for spec in at.asked if spec.kind == "space"}
    assert asked == ({"train"} if METHODS[method].is_drawn else set())


def test_further_methods_can_be_registered_and_none_takes_the_place_of_another(monkeypatch):
    monkeypatch.setattr(methods, "METHODS", dict(METHODS))
    mine = replace(METHODS["erm"], label="Mine")
    register("mine", mine)
    require_known(["mine"])
    with pytest.raises(ValueError, match="erm"):
        register("erm", mine)


@pytest.mark.parametrize("name", removed.METHODS)
def test_a_method_that_is_gone_is_refused_with_what_serves_instead(name):
    with pytest.raises(SpecRefusedError) as refused:
        require_known([name])
    assert str(refused.value).endswith(removed.METHODS[name]) and name not in METHODS


@pytest.fixture
def frozen(looped):
    """A loop of last layers whose runs are all done at once."""
    fields = {"dataset": looped.dataset.id, "model": "resnet18", "frozen": True, "size": 60}
    return LoopRuns(RunsAtOnce(looped.at.store), LoopConfig(**fields))


def test_last_layers_are_fitted_under_a_penalty_by_validation_under_a_weak_one_or_with_balanced_classes(frozen):
    erm, weak, balanced = (METHODS[name].train(frozen).model for name in ("erm", "erm-weak", "class-balanced"))
    assert erm.id == frozen.reference.id and len(erm.spec["refit_options"]["strengths"]) > 1
    assert weak.spec["refit_options"]["strengths"] == [methods.WEAK]
    assert balanced.spec["refit_options"]["class_balanced"] is True


def test_a_method_of_last_layers_is_refused_where_whole_networks_are_trained(looped):
    with pytest.raises(SpecRefusedError, match="erm-weak trains a last"):
        looped.loop.require(["erm", "erm-weak"])
