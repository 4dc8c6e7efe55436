"""Which repetitions of two models are pairs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from slim_core.evaluation.comparison import Ancestry
from slim_core.evaluation.two_models import seed_pairs
from slim_core.store import Run
from tests.slim_core.evaluation.verdicts import of_worst

AT = datetime(2026, 1, 1, tzinfo=UTC)


def run(name: str, kind: str, wga: float | None = None, **spec) -> Run:
    return Run(name, kind, name, "done", spec, "d", "tests", AT, metrics=None if wga is None else of_worst(wga))


def judged(model: str, wga: float | None, **spec) -> Run:
    return run(f"{model} judged", "evaluate", wga, model=model, split="test", **spec)


def estimated_in(space: str, evaluation: Run) -> Run:
    """The same by groups that are clusters of a space, here called by the model that it is of."""
    metrics = {**evaluation.metrics, "estimated_groups": True}
    return replace(evaluation, metrics=metrics, spec={**evaluation.spec, "space": space})


def pairs(trained: list[Run], evaluations: list[Run]) -> list[tuple[float, float]]:
    """Of the first two evaluations."""
    return sorted(seed_pairs(Ancestry([*trained, *evaluations]), evaluations, *evaluations[:2]))


ERM = [run(f"erm{seed}", "train", seed=seed) for seed in (0, 1)]
SUBSETS = [run(f"subset{seed}", "curate", space=f"erm{seed}", seed=seed) for seed in (0, 1)]
SLIM = [run(f"slim{seed}", "train", subset=f"subset{seed}", seed=7) for seed in (0, 1)]


def test_a_pair_is_a_model_and_what_was_made_from_it() -> None:
    found = [judged("erm0", 0.6), judged("slim0", 0.8), judged("erm1", 0.5), judged("slim1", 0.9)]
    assert pairs([*ERM, *SUBSETS, *SLIM], found) == [(0.5, 0.9), (0.6, 0.8)]


def test_what_was_made_from_one_model_counts_once() -> None:
    """Two seeds that rise by an image each from the same model would else be an interval without width."""
    again = run("again", "train", subset="subset0", seed=8)
    found = [judged("erm0", 0.6), judged("slim0", 0.7), judged("again", 0.8), judged("erm1", 0.5)]
    assert pairs([*ERM, *SUBSETS, *SLIM, again], found) == [(0.6, pytest.approx(0.75))]


def test_models_that_rest_on_nothing_in_common_are_paired_by_seed() -> None:
    jtt = [run(f"jtt{seed}", "train", objective="jtt", seed=seed) for seed in (0, 1, 2)]
    found = [judged("erm0", 0.6), judged("jtt0", 0.8), judged("jtt1", 0.7), judged("erm1", 0.5), judged("jtt2", 0.1)]
    assert pairs([*ERM, *jtt], found) == [(0.5, 0.7), (0.6, 0.8)]
    in_one_space = [estimated_in("erm0", one) for one in found]
    assert pairs([*ERM, *jtt], in_one_space) == [(0.5, 0.7), (0.6, 0.8)], "a space makes no model"


def test_what_occurs_twice_with_a_seed_is_one_pair_whichever_comes_last() -> None:
    """A subset at 10 answers and one at 20 are one method; each was retrained with seed 0."""
    subsets = [run(f"at{n}", "curate", space="erm0", seed=0, answers_seq=n) for n in (10, 20)]
    slim = [run(f"slim at{n}", "train", subset=f"at{n}", seed=0) for n in (10, 20)]
    jtt = run("jtt0", "train", objective="jtt", seed=0)
    firsts = [judged("slim at10", 0.5), judged("slim at20", 0.7)]
    after = judged("jtt0", 0.9)
    for before, other in (firsts, firsts[::-1]):
        assert pairs([*ERM, *subsets, *slim, jtt], [before, after, other]) == [(pytest.approx(0.6), 0.9)]


def test_other_groups_and_what_has_no_worst_group_are_no_pair() -> None:
    one, two = judged("erm1", 0.5), judged("slim1", 0.9)
    in_spaces = [estimated_in("erm0", one), estimated_in("erm1", two)]
    first = [judged("erm0", 0.6), judged("slim0", 0.8)]
    trained = [*ERM, *SUBSETS, *SLIM]
    assert pairs(trained, [*first, *in_spaces]) == [(0.6, 0.8)]
    assert pairs(trained, [*first, judged("erm1", None), two]) == [(0.6, 0.8)]
    alike = [estimated_in("erm0", one) for one in first] + [estimated_in("erm1", one), estimated_in("erm0", two)]
    assert pairs(trained, alike) == [(0.6, 0.8)]


def test_two_seeds_of_one_method_are_no_change() -> None:
    assert pairs(ERM, [judged("erm0", 0.6), judged("erm1", 0.9)]) == []
