"""Whether a second model is better."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core.evaluation.two_models import Verdict, better
from tests.refusals import missing
from tests.slim_core.evaluation.verdicts import metrics, plain

COST = {"answers": 72, "spent": "69 images (3.0 %), 138 votes, 2.4 min", "images": 480}
BEFORE = metrics(0.8, ("b, land", 0.65, 0.59, 0.7))
AFTER = metrics(0.85, ("b, land", 0.9, 0.86, 0.93))
STAYS = [[20, 0], [0, 280]]
WORDS = {True: "Yes.", False: "No", None: "Not"}  # a verdict begins with


def told(before: dict, after: dict, is_better: bool | None, *values: object, **how: object) -> Verdict:
    """The verdict, which is this one, begins so and names these values."""
    found = better(before, after, COST, **how)
    assert found.better is is_better
    assert plain(found.text).startswith(WORDS[is_better]) and not missing(plain(found.text), *values)
    return found


@pytest.mark.parametrize(
    ("now", "is_better", "word"),
    [
        ((0.9, 0.86, 0.93), True, ""),
        ((0.7, 0.65, 0.75), None, "intervals overlap"),
        ((0.65, 0.59, 0.7), False, "No. "),
        ((0.6, 0.54, 0.66), False, "No. "),
        ((0.4, 0.3, 0.5), False, "worse"),
    ],
)
def test_better_is_only_said_where_the_intervals_part_and_no_where_nothing_rose(now, is_better, word) -> None:
    spent = ("69 images (3.0 %), 138 votes, 2.4 min", "480 images")
    told(BEFORE, metrics(0.85, ("b, land", *now)), is_better, word, *spent, "b, land: 1 of 300", "1 after")


def of_counts(counts: np.ndarray, *names: str) -> list[dict]:
    """Both evaluations of groups of 300 images, by how many are right before and after."""
    right = counts[:, 1, :].sum(axis=1), counts[:, :, 1].sum(axis=1)
    found = [
        metrics(0.8, *((name, n / 300, n / 300 - 0.06, n / 300 + 0.06) for name, n in zip(names, each, strict=True)))
        for each in right
    ]
    for one, each in zip(found, right, strict=True):
        for group, n in zip(one["groups"], each, strict=True):
            group["correct"] = int(n)
    return found


@pytest.mark.parametrize(
    ("turned", "is_better", "values"),
    [
        ([[103, 32], [12, 153]], True, ("55.0 % to 61.7 %", "+6.7", "165 of 300", "185 after", "32 turned right", 12)),
        ([[75, 60], [55, 110]], None, ("300 images",)),
        ([[130, 5], [35, 130]], False, ("worse",)),
        ([[105, 30], [32, 133]], False, ()),
    ],
)
def test_on_the_same_images_those_that_turned_decide(turned, is_better, values) -> None:
    counts = np.array([turned, STAYS])
    before, after = of_counts(counts, "b, land", "a, land")
    verdict = told(before, after, is_better, *values, outcomes=counts)
    assert ('changes: "b, land" rose.' in verdict.text) == bool(is_better)
    assert better(before, after, COST).better is (False if is_better is False else None), "the intervals overlap"


def test_where_the_worst_group_rose_and_another_fell_as_low_both_are_named() -> None:
    counts = np.array([[[103, 32], [12, 153]], [[20, 0], [95, 185]], STAYS])
    before, after = of_counts(counts, "b, land", "a, land", "a, sea")
    named = '"<b, land>" rose', '"<a, land>" (300 images)', 'changes: "<b, land>" rose; "<a, land>" fell.'
    told(before, after, None, *named, outcomes=counts, named=lambda name: f"<{name}>")


@pytest.mark.parametrize(("n", "is_better"), [(12, None), (3, True)])
def test_a_group_of_some_images_may_leave_a_rise_in_doubt_and_one_of_a_few_does_not(n, is_better) -> None:
    """All of its images are right by both models, and its accuracy may still be the lowest."""
    counts = np.array([[[30, 45], [0, 225]], [[0, 0], [0, n]]])
    before, after = metrics(0.8, ("b, land", 0.75, 0.7, 0.79)), metrics(0.9, ("b, land", 0.9, 0.86, 0.93))
    for found in (before, after):
        small = {"group": 1, "name": "a, sea", "n": n, "correct": n, "accuracy": 1.0, "low": 0.4, "high": 1.0}
        found["groups"].append(small)
    told(before, after, is_better, *(() if is_better else ('"a, sea" (12 images)',)), outcomes=counts)


def test_a_worst_group_of_a_few_images_decides_nothing() -> None:
    few = metrics(0.8, ("b, land", 0.0, 0.0, 0.66))
    few["groups"][0]["n"] = 2
    for before, after in ((few, few), (BEFORE, few), (few, BEFORE)):
        for pairs in ((), [(0.0, 0.5), (0.0, 0.5)]):
            told(before, after, None, "b, land has 2 images", pairs=pairs)


def test_beside_a_worst_group_of_a_few_images_stands_how_the_worst_of_enough_changed() -> None:
    before = metrics(0.8, ("a, land", 0.0, 0.0, 0.79), ("b, land", 0.65, 0.59, 0.7), ("c, land", 0.9, 0.8, 1.0))
    after = metrics(0.9, ("a, land", 0.0, 0.0, 0.79), ("b, land", 0.95, 0.9, 0.98), ("c, land", 0.9, 0.8, 1.0))
    assert "or more" not in better(before, after, COST).text
    for found in (before, after):
        found["groups"][0]["n"] = 1
    told(before, after, None, "10 images or more", "65.0 % (b, land) to 90.0 % (c, land)")
    of_seeds = better(before, after, COST, pairs=[(0.0, 0.5), (0.0, 0.6)])
    assert "or more" not in of_seeds.text, "it is of one seed"


@pytest.mark.parametrize(
    ("pairs", "is_better", "values"),
    [
        ([(0.6, 0.8), (0.65, 0.84), (0.62, 0.83)], True, ("Over 3 seeds", "95 % interval", "the seed shown:")),
        ([(0.6, 0.9), (0.65, 0.5), (0.62, 0.66)], None, ("includes 0",)),
        ([(0.6, 0.5), (0.65, 0.64)], False, ()),
        ([(0.6, 0.8), (0.65, 0.851)], None, ("2 seeds are too few", "62.5 % to 82.5 %", "+20.1 points")),
        ([(0.6, 0.7), (0.65, 0.75), (0.7, 0.8)], None, ("every seed", "+10.0 points")),  # of few images
        ([(0.6, 0.5), (0.65, 0.55), (0.7, 0.6)], False, ()),
        ([(0.6, 0.6), (0.65, 0.65), (0.7, 0.7)], False, ("+0.0 to +0.0",)),
    ],
)
def test_several_seeds_decide_by_the_interval_of_their_mean_change(pairs, is_better, values) -> None:
    told(BEFORE, AFTER, is_better, *values, pairs=pairs)
    assert "the seed shown" not in better(BEFORE, AFTER, COST).text


def test_groups_that_fell_are_named_also_where_the_worst_one_rose() -> None:
    before = metrics(0.8, ("b, land", 0.65, 0.59, 0.7), ("a, land", 0.99, 0.98, 1.0))
    after = metrics(0.8, ("b, land", 0.9, 0.86, 0.93), ("a, land", 0.92, 0.9, 0.94))
    told(before, after, True, 'changes: "b, land" rose; "a, land" fell.')
    before = metrics(0.8, ("b, land", 0.65, 0.59, 0.7), ("a, land", 0.9, 0.88, 0.92))
    both = metrics(0.9, ("b, land", 0.9, 0.86, 0.93), ("a, land", 1.0, 1.0, 1.0))
    told(before, both, True, 'changes: "b, land" and "a, land" rose.')


def test_what_is_simpler_stands_beside_it_and_several_seeds_of_it_are_compared_with_the_mean_over_seeds() -> None:
    beside = {"A random subset": [0.71], "JTT (no answers)": [0.91, 0.93]}
    told(BEFORE, AFTER, True, "subset reaches 71.0 %.", "better: 92.0 %, mean of 2 seeds.", beside=beside)
    beside = {"A random subset": [0.85], "JTT": [0.83, 0.87], "ERM": [0.7, 0.8]}
    means = "better: 85.0 %, mean of 2 seeds.", "ERM reaches 75.0 %, mean of 2 seeds."  # 80 % on average is less
    of_one = "subset reaches 85.0 %."  # of the seed shown, whose worst group is at 90 %
    told(BEFORE, AFTER, None, *means, of_one, pairs=[(0.6, 0.9), (0.6, 0.7)], beside=beside)


def test_where_every_group_is_right_afterwards_none_is_called_the_worst() -> None:
    before = metrics(0.95, ("cat, red", 0.43, 0.21, 0.67), ("dog, red", 1.0, 0.9, 1.0))
    after = metrics(1.0, ("dog, red", 1.0, 0.9, 1.0), ("cat, red", 1.0, 0.8, 1.0))
    told(before, after, True, "43.0 % to 100.0 %", "+57.0 points", "no group has")
