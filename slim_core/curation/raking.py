"""Raking: weights of images with which no group of theirs tells the class, in several groupings at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NO_GROUP = -1  # of an image of which a grouping says nothing
_NEARLY_NOTHING = 1e-9  # of a weight: below it a class counts as missing


def rake(labels: np.ndarray, groupings: Sequence[np.ndarray], most: float, rounds: int = 100) -> np.ndarray:
    """Weights (N,) of images, on average 1, with which every group holds as much of each class, in every grouping.

    Iterative proportional fitting (Deming and Stephan, Annals of Mathematical Statistics 1940): what a class has in a
    group is set to the geometric mean over the classes, grouping after grouping, round after round. A group that lacks
    a class gets nothing. Where no weights do it all, or none below ``most``, they come near it.

    Args:
        labels: (N,) in 0..C-1.
        groupings: each (N,) the group of an image; NO_GROUP: nothing is asked of it.
        most: the largest weight.
    """
    cells, index, sizes = np.unique(
        np.stack([labels, *groupings], axis=1), axis=0, return_inverse=True, return_counts=True
    )  # images of a cell weigh the same: rounds need not go through all images
    of_cell, *groups_of_cell = cells.T
    classes = np.unique(of_cell)
    each = len(labels) / len(classes)
    weights = each / np.bincount(labels)[of_cell]
    for _ in range(rounds):
        for groups in groups_of_cell:
            weights *= _evened(of_cell, groups, weights * sizes, classes)
        weights *= each / np.maximum(np.bincount(of_cell, weights * sizes), _NEARLY_NOTHING)[of_cell]
        weights = np.minimum(weights, most)
    return np.asarray(weights[index.reshape(-1)])


def lacking(labels: np.ndarray, groupings: Sequence[np.ndarray]) -> np.ndarray:
    """(N,) bool: images of which some group has no image of some class, so that raking gives them nothing."""
    found = np.zeros(len(labels), bool)
    classes = np.unique(labels)
    for groups in groupings:
        inside = groups != NO_GROUP
        held = np.zeros((labels.max() + 1, groups.max(initial=0) + 1), bool)
        held[labels[inside], groups[inside]] = True
        found[inside] |= ~held[classes].all(axis=0)[groups[inside]]
    return found


def _evened(labels: np.ndarray, groups: np.ndarray, totals: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(k,) factors that give every class of a group their geometric mean; ``totals``: (k,) weights of the cells."""
    inside = groups != NO_GROUP
    sums = np.zeros((labels.max() + 1, groups.max() + 1))
    np.add.at(sums, (labels[inside], groups[inside]), totals[inside])
    present = sums[classes]
    goal = np.exp(np.log(np.maximum(present, _NEARLY_NOTHING)).mean(axis=0))
    goal[present.min(axis=0) <= _NEARLY_NOTHING] = 0
    factors = np.ones(len(labels))
    at = labels[inside], groups[inside]
    factors[inside] = goal[at[1]] / np.maximum(sums[at], _NEARLY_NOTHING)
    return factors
