"""Raking: weights of images with which no group of theirs tells the class, in several groupings at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NO_GROUP = -1  # of an image of which a grouping says nothing
_NEARLY_NOTHING = 1e-9  # of a weight: below it a class counts as missing
_UNUSED = 0.05  # an image that weighs less hardly counts, where the average is 1
_FITTING = 100  # rounds
_SETTLING = 50  # rounds after them; more change nothing that rounding to whole images would leave


def rake(labels: np.ndarray, groupings: Sequence[np.ndarray], most: float) -> np.ndarray:
    """Weights (N,) of images with which every group holds as much of each class, in every grouping.

    Iterative proportional fitting (Deming and Stephan, Annals of Mathematical Statistics 1940): what a class has in a
    group is set to the geometric mean over the classes, but to no more than the rarest of them there can give, grouping
    after grouping, round after round; what such a group cannot hold goes to the others. What is uneven after that is
    cut. The classes of a grouping are those that it holds an image of; a group that lacks one of them gets nothing, and
    so do all of a grouping that holds a single class: to be in one of them would tell it.

    Args:
        labels: (N,) in 0..C-1.
        groupings: each (N,) the group of an image; NO_GROUP: nothing is asked of it.
        most: the largest weight, at least 1.

    Returns:
        1 on average, less where ``most`` does not allow it, and 0 of all images where no weights do it.
    """
    cells, index, sizes = np.unique(
        np.stack([labels, *groupings], axis=1), axis=0, return_inverse=True, return_counts=True
    )  # images of a cell weigh the same: rounds need not go through all images
    of_cell, *groups_of_cell = cells.T
    fitted = [_Grouping.of(of_cell, each, sizes * most) for each in groups_of_cell if (each != NO_GROUP).any()]
    of_class = np.unique(of_cell, return_inverse=True)[1].reshape(-1)
    each = len(labels) / (of_class.max() + 1)
    weights = each / np.bincount(labels)[of_cell]
    for number in range(_FITTING + _SETTLING):
        for grouping in fitted:
            factors = grouping.evening if number < _FITTING else grouping.cutting
            weights = weights * factors(weights * sizes)
        held = np.bincount(of_class, weights * sizes)
        if held.min() <= _NEARLY_NOTHING:
            return np.zeros(len(labels))
        weights = np.minimum(weights * (each if number < _FITTING else held.min()) / held[of_class], most)
    grown = min(len(labels) / (weights @ sizes), most / weights.max())
    return np.asarray((weights * grown)[index.reshape(-1)])


def unused(weights: np.ndarray) -> float:
    """The share of images that hardly count."""
    return float((weights < _UNUSED).mean())


@dataclass(frozen=True, eq=False)
class _Grouping:
    """One grouping of k cells into G groups, of K classes."""

    inside: np.ndarray  # (m,) cells that it says something of
    at: tuple[np.ndarray, np.ndarray]  # their class, counted among its own, and their group, (m,) each
    most: np.ndarray  # (K, G) the largest sums of weights

    @classmethod
    def of(cls, labels: np.ndarray, groups: np.ndarray, most: np.ndarray) -> _Grouping:
        """The grouping of cells with labels and groups (k,), and the largest sum of weights of each (k,)."""
        inside = np.flatnonzero(groups != NO_GROUP)
        classes, of_class = np.unique(labels[inside], return_inverse=True)
        at = of_class.reshape(-1), groups[inside]
        return cls(inside, at, _summed(at, most[inside], (len(classes), int(groups.max(initial=0)) + 1)))

    def evening(self, totals: np.ndarray) -> np.ndarray:
        """(k,) factors that give every class of a group their geometric mean, as far as each can give it."""
        sums = self._sums(totals)
        goal = np.exp(np.log(np.maximum(sums, _NEARLY_NOTHING)).mean(axis=0))
        return self._factors(sums, np.minimum(goal, self.most.min(axis=0, initial=np.inf)), len(totals))

    def cutting(self, totals: np.ndarray) -> np.ndarray:
        """(k,) factors of at most 1 that give every class of a group what the least of them has."""
        sums = self._sums(totals)
        return self._factors(sums, sums.min(axis=0, initial=np.inf), len(totals))

    def _sums(self, totals: np.ndarray) -> np.ndarray:
        return _summed(self.at, totals[self.inside], self.most.shape)

    def _factors(self, sums: np.ndarray, goal: np.ndarray, n: int) -> np.ndarray:
        lacks_one = (sums.min(axis=0, initial=np.inf) <= _NEARLY_NOTHING) | (len(sums) == 1)
        goal = np.where(lacks_one, 0, goal)
        factors = np.ones(n)
        factors[self.inside] = goal[self.at[1]] / np.maximum(sums[self.at], _NEARLY_NOTHING)
        return factors


def _summed(at: tuple[np.ndarray, np.ndarray], values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    sums = np.zeros(shape)
    np.add.at(sums, at, values)
    return sums
