"""What stands beside a result: other seeds of its recipe, a random subset of its size, and what needs no answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pandas as pd

from app.services import loop_state
from app.services.loop_state import Loop
from app.services.queueing import ALL_WRONG
from app.services.results.comparison import Result
from slim_core.evaluation.comparison import Ancestry
from slim_core.evaluation.verdict import Answer
from slim_core.store import Run
from tests.slim_core.evaluation.verdicts import of_worst

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(name: str, kind: str, spec: dict[str, Any], wga: float | None = None) -> Run:
    metrics = None if wga is None else of_worst(wga)
    return Run(name, kind, name, "done", spec, "d", "ada", NOW, metrics=metrics)


REFERENCE = run("first", "train", {"model": "small-resnet", "seed": 0})
BEFORE = run("before", "evaluate", {"split": "test", "model": "first"}, 0.5)


CURATED = {"strategy": "slim", "size": 48, "space": "space", "campaign": None, "options": {"environments": "both"}}


def pair(
    name: str, wga: float, seed: int = 0, strategy: str = "slim", size: int = 48, start: str = "reference"
) -> Result:
    subset = run(f"subset-{name}", "curate", {"strategy": strategy, "size": size, "reference": "first"})
    of_model = {"seed": seed, "mode": "full", "start": start, "epochs": 30, "subset": subset.id}
    model = run(f"model-{name}", "train", of_model)
    return Result(REFERENCE, BEFORE, subset, model, run(name, "evaluate", {"split": "test", "model": model.id}, wga))


def of_another_reference(name: str, before: float, after: float) -> Result:
    one = pair(name, after, seed=1)
    reference = run("another", "train", REFERENCE.spec | {"seed": 1})
    subset = run(one.subset.id, "curate", one.subset.spec | {"reference": "another"})
    was = run("before another", "evaluate", {"split": "test", "model": "another"}, before)
    return replace(one, reference=reference, before=was, subset=subset)


def facts(result: Result, *others: Result, beside: Sequence[tuple[Run, Run]] = ()) -> loop_state.Facts:
    """``beside``: further models, each with its evaluation."""
    results = (result, *others)
    known = {one.id: one for pair in results for one in (pair.before, pair.after) if one}
    known |= {evaluation.id: evaluation for _, evaluation in beside}
    trained = [one for pair in results for one in (pair.reference, pair.subset, pair.model) if one]
    ancestry = Ancestry([*trained, *(model for model, _ in beside)])
    compared = SimpleNamespace(evaluations=known, ancestry=ancestry)
    return loop_state.facts_of(Loop((), None, result.before, result.after, result, results), compared)


def test_each_training_of_the_recipe_is_a_pair_and_no_other_recipe() -> None:
    found = facts(pair("one", 0.8), of_another_reference("two", 0.4, 0.7), pair("scratch", 0.9, start="scratch"))
    assert sorted(found.pairs) == [(0.4, 0.7), (0.5, 0.8)]
    assert facts(pair("one", 0.8), pair("other seed of one reference", 0.7, seed=1)).pairs == ((0.5, 0.75),)


def test_the_random_subset_is_as_large_and_retrained_the_same_way() -> None:
    found = facts(
        pair("slim", 0.8),
        pair("random", 0.6, strategy="random"),
        pair("larger", 0.7, strategy="random", size=96),
        pair("scratch", 0.2, strategy="random", start="scratch"),
    )
    assert found.random == (0.6,)


def test_beside_a_last_layer_that_answers_entered_stands_what_was_fitted_without_any() -> None:
    options = {"campaign": "c", "answers_seq": 48, "space": "s", "weight": 0.01, "strengths": [1.0, 0.1]}
    fitted = as_it_was(pair("slim", 0.8), mode="last-layer", refit="answered", refit_options=options)
    control = as_it_was(
        pair("random", 0.6, strategy="random"), mode="last-layer", refit="answered", refit_options=options
    )
    assert facts(fitted, control).random == (), "answers were asked for it, too"
    plain = {"refit": "l2", "refit_options": {"strengths": [1.0, 0.1], "class_balanced": False}}
    assert facts(fitted, as_it_was(control, **plain)).random == (0.6,)
    probe = replace(REFERENCE, spec=REFERENCE.spec | {"mode": "last-layer", "reference": None})
    answered = replace(fitted, reference=probe, subset=replace(fitted.subset, spec=CURATED | {"campaign": "c"}))
    subset = run("without answers", "curate", CURATED | {"options": ALL_WRONG})

    def beside(**fit: Any) -> tuple[float, ...]:
        one = unasked("model", 0.7, 0.8, mode="last-layer", subset=subset.id, **fit)
        return facts(answered, beside=[one, (subset, one[1])]).unasked

    assert beside(**plain) == (0.7,) and beside(refit="answered", refit_options=options) == ()


def as_it_was(one: Result, **spec: Any) -> Result:
    """The pair, its model trained in another way."""
    return replace(one, model=replace(one.model, spec=one.model.spec | spec))


def test_a_random_subset_by_another_optimizer_says_nothing() -> None:
    found = facts(pair("slim", 0.8), as_it_was(pair("random", 0.6, strategy="random"), optimizer="adamw"))
    assert found.random == ()


def test_a_last_layer_is_fitted_the_same_way_by_the_same_refit_whatever_its_epochs() -> None:
    fitted = as_it_was(pair("slim", 0.8), mode="last-layer", refit="l2", epochs=5)
    control = pair("random", 0.6, strategy="random")
    assert facts(fitted, as_it_was(control, mode="last-layer", refit="l2", epochs=1)).random == (0.6,)
    assert facts(fitted, as_it_was(control, mode="last-layer", epochs=5)).random == ()


def unasked(name: str, wga: float, on_validation: float, *, split: str = "test", **spec: Any) -> tuple[Run, Run]:
    """A model without annotation, and its evaluation."""
    trained = run(name, "train", {"model": "small-resnet", "seed": 0} | spec)
    model = replace(trained, metrics={"val": {"worst_class": on_validation}})
    return model, run(f"{name} on {split}", "evaluate", {"split": split, "model": name}, wga)


def test_of_just_train_twice_the_setting_counts_that_validation_chooses_for_each_seed() -> None:
    jtt = {"objective": "jtt"}
    beside = [
        unasked("early", 0.9, 0.6, **jtt),
        unasked("late", 0.7, 0.8, **jtt),
        unasked("again", 0.75, 0.5, **jtt, seed=1),
        unasked("validated", 0.2, 0.9, split="val", **jtt),
        unasked("other network", 0.3, 0.9, **jtt | {"model": "resnet18"}),
        unasked("on a subset", 0.3, 0.9, **jtt, subset="subset-one"),
        unasked("by ERM", 0.3, 0.9, objective="erm"),
    ]
    assert facts(pair("one", 0.8), beside=beside).unasked == (0.7, 0.75)
    assert facts(pair("one", 0.8)).unasked == ()


def test_beside_a_last_layer_stands_a_subset_as_large_that_takes_all_attention_to_be_wrong() -> None:
    probe = replace(REFERENCE, spec=REFERENCE.spec | {"mode": "last-layer", "reference": None})
    answered = pair("one", 0.8)
    answered = replace(answered, reference=probe, subset=replace(answered.subset, spec=CURATED | {"campaign": "c"}))

    def found(**asked: Any) -> tuple[float, ...]:
        subset = run("without answers", "curate", CURATED | {"options": ALL_WRONG, **asked})
        one = unasked("model", 0.7, 0.8, mode="last-layer", subset=subset.id)
        return facts(answered, beside=[one, (subset, one[1])]).unasked

    assert found() == (0.7,)
    assert found(size=96) == found(campaign="c") == found(space="another") == ()
    assert found(options=ALL_WRONG | {"presumed": 1.0}) == found(strategy="random") == ()
    answered = as_it_was(answered, mode="last-layer", refit="l2")
    assert found() == (), "it is fitted by l1"


def test_a_random_subset_that_was_evaluated_on_another_split_says_nothing() -> None:
    control = pair("random", 0.6, strategy="random")
    on_val = [replace(one, spec=one.spec | {"split": "val"}) for one in (control.before, control.after)]
    before, after = (replace(one, id=f"{one.id} on val") for one in on_val)
    assert facts(pair("slim", 0.8), replace(control, before=before, after=after)).random == ()


def test_a_reference_without_a_pair_has_no_facts() -> None:
    assert facts(Result(REFERENCE)) == loop_state.Facts()


def of_one_estimated_group(accuracy: float) -> dict[str, Any]:
    counts = {"n": 100, "correct": int(100 * accuracy), "low": accuracy - 0.05, "high": accuracy + 0.05}
    group = {"group": 0, "name": "cat, environment 0 (test)", "accuracy": accuracy, **counts}
    return {"estimated_groups": True, "average": 0.9, "wga": accuracy, "groups": [group]}


def test_no_verdict_across_evaluations_that_count_other_groups() -> None:
    before, after = (
        replace(
            run(name, "evaluate", {"split": "test", "model": "m", "space": space}), metrics=of_one_estimated_group(wga)
        )
        for name, space, wga in (("before", "space-1", 0.2), ("after", "space-2", 0.9))
    )
    rows = pd.DataFrame([{"answers": 0, "images": 48, "spent": ""}], index=[after.id])
    known = {before.id: before, after.id: after}
    compared = SimpleNamespace(evaluations=known, ancestry=Ancestry(known.values()), rows=rows)
    result = Result(REFERENCE, before, None, None, after)
    found = loop_state.verdict(Loop((), None, before, after, result, (result,)), compared, loop_state.Facts())
    assert found is not None and found.answer is Answer.NOT_COMPARABLE


def test_a_control_does_not_stand_beside_itself() -> None:
    control = pair("random", 0.6, strategy="random")
    assert facts(control, pair("slim", 0.8), pair("again", 0.5, seed=1, strategy="random")).random == ()
    probe = replace(REFERENCE, spec=REFERENCE.spec | {"mode": "last-layer", "reference": None})
    alone = pair("all wrong", 0.7)
    subset = replace(alone.subset, spec=CURATED | {"options": ALL_WRONG})
    model = replace(alone.model, spec=alone.model.spec | {"mode": "last-layer"})
    assert facts(replace(alone, reference=probe, subset=subset, model=model)).unasked == ()


def test_a_random_subset_is_retrained_from_the_same_model_by_the_same_hyper_parameters() -> None:
    for name, value in (("reference", "converged"), ("lr", 0.001), ("batch_size", 8)):
        control = pair("random", 0.6, strategy="random")
        other = replace(control, model=replace(control.model, spec=control.model.spec | {name: value}))
        assert facts(pair("slim", 0.8), other).random == (), name


def test_a_model_that_was_evaluated_on_no_image_of_a_known_group_says_nothing() -> None:
    control = pair("random", 0.6, strategy="random")
    unknown = replace(control, after=replace(control.after, metrics={"wga": None}))
    assert facts(pair("slim", 0.8), unknown).random == ()
