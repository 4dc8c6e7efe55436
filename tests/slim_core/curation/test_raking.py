"""Raking: every group holds as much of each class, as far as it has images of it."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core.curation.raking import NO_GROUP, lacking, rake


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
    assert (rake(labels, [groups], most=9)[:2] == 0).all()
    assert np.flatnonzero(lacking(labels, [groups])).tolist() == [0, 1]
    rare = np.where(np.arange(100) == 99, 1, np.where(np.arange(100) < 50, np.arange(100) % 2, 0))
    assert rake(labels, [rare], most=4).max() <= 4


def test_without_a_grouping_the_classes_weigh_the_same():
    labels = np.array([0, 1, 1, 1])
    assert rake(labels, [], most=9).tolist() == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3])
    assert not lacking(labels, []).any()


def test_images_are_found_of_which_some_group_lacks_a_class():
    labels, first = np.array([0, 1, 0, 0, 1]), np.array([0, 0, 1, NO_GROUP, NO_GROUP])
    assert lacking(labels, [first]).tolist() == [False, False, True, False, False]
    assert lacking(labels, [first, np.array([0, 0, 0, 0, 1])]).tolist() == [False, False, True, False, True]
    assert not lacking(labels, [np.full(5, NO_GROUP)]).any()
