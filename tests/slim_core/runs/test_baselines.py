"""What stands beside SLIM: the runs each baseline makes, and which labels these use."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from slim_core.curation.data import default_subset_size
from slim_core.errors import NothingToRepeatError, SlimError, SpecRefusedError
from slim_core.evaluation.ancestry import Ancestry
from slim_core.metrics import WGA, WORST_CLASS
from slim_core.runs import baselines, loop_runs
from slim_core.runs.baselines import best_on_validation
from slim_core.runs.loop_runs import LoopRuns
from slim_core.runs.methods import METHODS
from slim_core.runs.whole_loop import Loop, LoopConfig
from slim_core.steps.train.recipes import jtt_grid, regularised, to_convergence
from slim_core.training.objectives.jtt import Jtt

BASELINES = ("erm-converged", "erm-same-steps", "erm-retrained", "rwy", "jtt", "subg", "group-dro")


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
    with pytest.raises(SpecRefusedError, match="no errors to repeat: .* after 5 epochs as after 15 epochs: train with"):
        jtt_whose_second_trainings_fail(looped, without_errors)
    with pytest.raises(SlimError, match="The disk is full"):
        jtt_whose_second_trainings_fail(looped, lambda _run: SlimError("The disk is full"))
    same_words = SlimError("The earlier run r-1 predicts all training images correctly (3).")
    with pytest.raises(SlimError, match="r-1 predicts"):
        jtt_whose_second_trainings_fail(looped, lambda _run: same_words)


def test_erm_with_as_many_steps_sees_at_least_the_images_that_slim_sees(looped):
    free = Loop(looped.at, LoopConfig(dataset=looped.dataset.id, size=60))
    seen = []
    free.reference, free.subset = looped.loop.reference, lambda _strategy: looped.outcomes["slim"].subset
    free.retrained = lambda _subset: SimpleNamespace(spec={"epochs": 99}, metrics={"epochs": 30})
    free.trained = lambda _name, **fields: seen.append(fields) or looped.loop.reference
    METHODS["erm-same-steps"].train(free)
    assert seen == [{"epochs": 2 + 9, "patience": None}]  # 2 of the reference, and 30 x 60 images of 200


@pytest.mark.slow
def test_erm_is_retrained_as_the_subsets_are_on_all_of_train(looped, outcomes):
    retrained, of_subset = outcomes["erm-retrained"], looped.outcomes["random"].model
    assert retrained.n_images == len(looped.at.store.datasets.table(looped.dataset.id).rows("train"))
    differing = {name for name, value in of_subset.spec.items() if retrained.model.spec[name] != value}
    assert differing == {"subset"} and retrained.model.spec["reference"] == looped.loop.start.id


def test_the_reference_may_be_ended_early_and_nothing_else_with_it(looped):
    early = Loop(looped.at, LoopConfig(dataset=looped.dataset.id, size=60, reference_epochs=1))
    asked = []
    early.at = SimpleNamespace(run=lambda spec, name: asked.append(spec) or SimpleNamespace(id=name))
    METHODS["erm"].train(early), METHODS["erm-converged"].train(early)
    assert asked[0].epochs == 1
    assert asked[1].epochs == to_convergence("small-resnet")["epochs"]


def test_epochs_that_a_method_is_about_are_its_own_whatever_the_epochs_of_the_loop(looped):
    config = LoopConfig(dataset=looped.dataset.id, reference_epochs=1, train={"epochs": 3, "batch_size": 32})
    free, asked = Loop(looped.at, config), []

    def run(spec, name):
        asked.append(spec)
        return SimpleNamespace(id=name, metrics=None, spec={"model": spec.model, "epochs": spec.epochs})

    free.at = SimpleNamespace(run=run)
    for method in ("erm", "jtt", "cnc", "erm-converged"):
        METHODS[method].train(free)
    (short, _), (long, _) = jtt_grid("small-resnet")
    proxy, most = regularised("small-resnet")["epochs"], 3  # of CnC; and of any training to convergence
    assert [spec.epochs for spec in asked] == [1, *(short, most), *(long, most), *(proxy, most), most]
    assert {spec.batch_size for spec in asked} == {32}


def test_a_converged_start_is_the_converged_erm_while_the_reference_stays_as_its_recipe_says(looped):
    free = Loop(looped.at, LoopConfig(dataset=looped.dataset.id, size=60, converged=True))
    seen = []
    free.trained = lambda _name, **fields: seen.append(fields) or SimpleNamespace(id=len(seen), metrics={"epochs": 7})
    assert METHODS["erm-converged"].train(free).model is free.start
    assert METHODS["erm"].train(free).model is free.reference
    assert seen == [to_convergence("small-resnet"), {}]
    free.subset, free.retrained = lambda _strategy: looped.outcomes["slim"].subset, lambda _subset: free.start
    METHODS["erm-same-steps"].train(free)
    assert seen[2] == {"epochs": 7 + 7 + 3, "patience": None}  # of reference and start, and 7 x 60 images of 200
    impatient = LoopConfig(dataset=looped.dataset.id, train={"epochs": 3, "patience": 5})
    assert impatient.training_spec(**seen[2]).epochs == 17, "no fewer steps"
    assert impatient.training_spec(**seen[2]).patience is None


@pytest.mark.slow
def test_subg_has_as_many_images_of_each_group_as_the_smallest(looped, outcomes):
    table = looped.at.store.datasets.table(looped.dataset.id)
    rows = table.rows("train")
    smallest = min((table.labels[rows] * 2 + table.attributes[rows] == group).sum() for group in range(4))
    assert outcomes["subg"].n_images == outcomes["subg"].n_unique == 4 * smallest


def test_the_best_on_validation_is_the_first_of_equals_and_one_without_a_metric_the_worst():
    runs = [SimpleNamespace(metrics={"val": {WGA: value}}) for value in (None, 0.5, 0.7, 0.7)]
    assert best_on_validation(runs, WGA) is runs[2]
    assert best_on_validation([SimpleNamespace(metrics={"val": None})], WGA).metrics == {"val": None}


def test_what_is_taken_of_images_nobody_answered_about_is_all_that_two_methods_without_answers_differ_in(looped):
    free = Loop(looped.at, LoopConfig(dataset=looped.dataset.id, size=60))
    asked = []
    free.subset = lambda strategy, **how: asked.append((strategy, how)) or looped.loop.reference
    free.retrained = lambda subset: subset
    METHODS["slim-no-answers"].train(free)
    METHODS["slim-all-wrong"].train(free)
    all_wrong = {"environments": "answers", "presumed": 0.0}
    assert asked == [("slim", {"asked": "nothing", "options": options}) for options in ({}, all_wrong)]


@pytest.mark.parametrize(
    ("method", "right", "other", "chosen"),
    [
        ("slim-on-validation", 0.6, 0.7, {"asked": "images"}),
        ("slim-on-validation", 0.7, 0.7, {"asked": "nothing"}),
        ("slim-no-answers-on-validation", 0.5, 0.6, {"environments": "answers", "presumed": 0.0}),
        ("slim-no-answers-on-validation", 0.6, 0.5, {}),
    ],
)
def test_validation_chooses_between_two_balances_the_milder_of_equals_and_both_are_paid_for(
    looped, method, right, other, chosen, monkeypatch
):
    monkeypatch.setattr(baselines, "usual_fit", lambda *_: {})  # of a whole network
    free = Loop(looped.at, LoopConfig(dataset=looped.dataset.id, size=60))
    said = iter((right, other))
    free.subset = lambda _strategy, asked="images", options=None: {"asked": asked, **(options or {})}
    free.retrained = lambda subset: SimpleNamespace(
        id=str(subset), subset=subset, metrics={"val": {WORST_CLASS: next(said)}}
    )
    trained = METHODS[method].train(free)
    assert chosen.items() <= trained.subset.items() and trained.model.subset is trained.subset
    assert len(trained.tried) == 1 and trained.tried[0].id != trained.model.id


def test_two_balances_that_are_the_same_run_are_paid_for_once(looped, monkeypatch):
    monkeypatch.setattr(baselines, "usual_fit", lambda *_: {})
    free = Loop(looped.at, LoopConfig(dataset=looped.dataset.id, size=60))
    free.subset = lambda *_, **__: looped.loop.reference
    free.retrained = lambda subset: subset
    assert METHODS["slim-on-validation"].train(free).tried == ()


def test_classes_balanced_once_in_a_fifth_are_a_row_whatever_a_study_sets(looped, monkeypatch):
    set_by_hand = LoopConfig(dataset=looped.dataset.id, size=60, options={"environments": "both"}, answers=0.1)
    curated = []

    def subset(loop, strategy, **how):
        assert not how.get("options")
        curated.append((loop.size, loop.config.options, loop.config.answers, strategy))
        return looped.loop.reference

    monkeypatch.setattr(LoopRuns, "subset", subset)
    monkeypatch.setattr(LoopRuns, "retrained", lambda _loop, subset: subset)
    monkeypatch.setattr(baselines, "usual_fit", lambda *_: {})
    loop = Loop(looped.at, set_by_hand)
    METHODS["slim-once"].train(loop)
    METHODS["slim"].train(loop)
    fifth = default_subset_size(len(looped.at.store.datasets.table(looped.dataset.id).rows("train")))
    assert curated == [(fifth, {"environments": "space"}, 0.1, "slim"), (60, {"environments": "both"}, 0.1, "slim")]


def test_training_to_convergence_has_a_patience_for_each_kind_of_network():
    for model in ("small-resnet", "slim_core.models.efficientnet_lite:lite0", "resnet50"):
        fields = to_convergence(model)
        assert 1 <= fields["patience"] < fields["epochs"]


def test_a_loop_without_epochs_takes_those_of_the_method(looped):
    free = Loop(looped.at, LoopConfig(dataset=looped.dataset.id, size=60))
    seen = []
    free.trained = lambda _name, **fields: seen.append(fields) or looped.loop.reference
    METHODS["erm-converged"].train(free)
    METHODS["rwy"].train(free)
    assert seen[0] == to_convergence("small-resnet")
    assert seen[1] == {**to_convergence("small-resnet"), "sampling": "class-balanced"}


class RunsAtOnce:
    """In place of a workbench: every run is done as soon as it is asked for, and has the numbers that methods read."""

    by = "a test"

    def __init__(self, store):
        self.asked = []
        self.store = SimpleNamespace(datasets=store.datasets, answers=SimpleNamespace(last_seq=lambda _campaign: 1))

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
    monkeypatch.setattr(loop_runs, "find_or_create_campaign", campaign)
    at = RunsAtOnce(looped.at.store)
    METHODS[method].train(LoopRuns(at, LoopConfig(dataset=looped.dataset.id, size=60)))
    assert {spec.split for spec in at.asked if spec.kind == "space"} == set(METHODS[method].spaces)
