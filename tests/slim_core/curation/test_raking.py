"""Raking: every group holds as much of each class, as far as it has images of it."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core.curation.two_views import NO_GROUP, rake, unused


def test_every_group_of_both_groupings_holds_as_much_of_each_class():
    rng = np.random.default_rng(1)
    labels, first = rng.integers(3, size=3000), rng.integers(4, size=3000)
    second = np.where(rng.random(3000) < 0.8, labels, rng.integers(3, size=3000))
    second[rng.random(3000) < 0.2] = NO_GROUP
    weights = rake(labels, (first, second), most=50)
    for groups in (first, second):
        for group in range(groups.max() + 1):
            held = np.bincount(labels[groups == group], weights[groups == group], 3)
            assert held.max() < 1.02 * held.min()
    assert weights.mean() == pytest.approx(1) and weights.min() >= 0
    assert np.allclose(np.bincount(labels, weights), 1000)


def test_a_group_that_lacks_a_class_weighs_nothing_and_no_weight_is_above_the_most():
    labels, groups = np.repeat([0, 1], 50), np.tile([0, 1], 50)
    groups[:2] = 2  # of class 0 alone
    weights = rake(labels, [groups], most=9)
    assert (weights[:2] == 0).all() and unused(weights) == 0.02
    rare = np.where(np.arange(100) == 99, 1, np.where(np.arange(100) < 50, np.arange(100) % 2, 0))
    assert rake(labels, [rare], most=4).max() <= 4


def test_without_a_grouping_the_classes_weigh_the_same():
    labels = np.array([0, 1, 1, 1])
    for groupings in ([], [np.full(4, NO_GROUP)]):
        assert rake(labels, groupings, most=9).tolist() == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3])


def held_by(weights, labels, groups):
    """(2, 2) what each of two classes weighs in each of two groups."""
    return np.array([[weights[(labels == label) & (groups == g)].sum() for g in (0, 1)] for label in (0, 1)])


def test_where_the_rarest_may_not_count_often_enough_all_is_less_and_even():
    """Two images of class 1 in group 0 hold no more than 2 x 10, so class 0 holds no more there."""
    labels, groups = np.repeat([0, 1], 100), np.repeat([0, 1, 0, 1], [98, 2, 2, 98])
    weights = rake(labels, [groups], most=10)
    held = held_by(weights, labels, groups)
    assert held == pytest.approx(np.full((2, 2), 20)) and weights.max() == pytest.approx(10)


def test_what_a_full_group_cannot_hold_goes_to_the_others():
    labels = np.repeat([0, 1], 100)
    groups = np.repeat([0, 1, 0, 1], [60, 40, 1, 99])
    weights = rake(labels, [groups], most=10)
    held = held_by(weights, labels, groups)
    assert held == pytest.approx(np.array([[10, 90], [10, 90]]), rel=1e-3) and weights.mean() == pytest.approx(1)


@pytest.mark.parametrize("most", [2, 10])
def test_where_two_groupings_leave_little_it_weighs_one_on_average_or_as_much_as_is_allowed(most):
    for seed in (3, 6, 9):
        rng, labels = np.random.default_rng(seed), np.arange(40) % 2
        groupings = [np.where(rng.random(40) < 0.7, labels, rng.integers(3, size=40)) for _ in range(2)]
        weights = rake(labels, groupings, most)
        assert max(weights.mean(), weights.max() / most) == pytest.approx(1)
        for groups in groupings:
            held = [np.bincount(groups, weights * (labels == label)) for label in (0, 1)]
            assert held[0] == pytest.approx(held[1], rel=0.02)


def test_a_class_of_which_a_grouping_says_nothing_takes_no_part_in_it():
    labels, groups = np.repeat([0, 1, 2], 40), np.repeat([0, 1, 0, 1, NO_GROUP], [30, 10, 10, 30, 40])
    weights = rake(labels, [groups], most=20)
    assert (weights > 0).all() and np.allclose(np.bincount(labels, weights), 40)
    first, second = held_by(weights, labels, groups)[:, 0]
    assert first == pytest.approx(second, rel=1e-3)


def test_a_grouping_of_one_class_alone_tells_it_and_weighs_nothing():
    labels, groups = np.repeat([0, 1], 50), np.repeat([0, 1, NO_GROUP], [20, 10, 70])
    weights = rake(labels, [groups], most=9)
    assert (weights[:30] == 0).all() and np.allclose(np.bincount(labels, weights), 50)


def test_what_no_weights_can_do_is_told_by_weights_of_nothing():
    """Class 0 lies in groups of its own of the first grouping; so none of it is left for those of the second."""
    labels = np.repeat([0, 1], 50)
    first, second = np.repeat([0, 1], 50), np.tile([0, 1], 50)
    assert (rake(labels, [first, second], most=9) == 0).all() and unused(np.zeros(3)) == 1
