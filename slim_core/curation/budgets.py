"""S8: how many images each cell gives. Whole numbers that add up exactly, capped, with what is left over passed on."""

from __future__ import annotations

import numpy as np

DIGITS = 9  # of a remainder: in further ones, equal remainders differ by how they were rounded


def largest_remainder(weights: np.ndarray, total: int) -> np.ndarray:
    """Non-negative integers (k,) in proportion to weights (k,) that sum to total; all-zero weights count as equal.

    Each is its share rounded down, and the largest remainders get one more (ties: the earlier one).
    """
    weights = np.asarray(weights, np.float64)
    if len(weights) == 0:
        return np.empty(0, np.int64)
    if weights.sum() <= 0:
        weights = np.ones(len(weights))
    exact = total * weights / weights.sum()
    floors: np.ndarray = np.floor(exact + 10.0**-DIGITS).astype(np.int64)
    order = np.argsort(-np.round(exact - floors, DIGITS), kind="stable")
    floors[order[: total - floors.sum()]] += 1
    return floors


def allocate(weights: np.ndarray, total: int, capacities: np.ndarray) -> np.ndarray:
    """``largest_remainder``, no entry above its capacity (k,): what a full cell cannot take goes to the others.

    Sums to min(total, sum of capacities).
    """
    weights = np.asarray(weights, np.float64)
    capacities = np.asarray(capacities, np.int64)
    total = min(int(total), int(capacities.sum()))
    budget = np.zeros(len(weights), np.int64)
    open_ = capacities > 0
    while (left := total - int(budget.sum())) > 0:
        share = np.zeros(len(weights), np.int64)
        share[open_] = largest_remainder(weights[open_], left)
        budget = np.minimum(budget + share, capacities)
        open_ = budget < capacities
    return budget


def spread(points: np.ndarray) -> float:
    """Median distance of points (n, d) to their mean: the weight of a cluster in S8, whatever its size."""
    if len(points) == 0:
        return 0.0
    return float(np.median(np.linalg.norm(points - points.mean(axis=0), axis=1)))


def spread_weights(points: np.ndarray, index: np.ndarray, n_clusters: int) -> np.ndarray:
    """Spread of each cluster, normalised to sum 1 (k,); equal over the clusters that have points if none has spread.

    At least one point.
    """
    weights = np.array([spread(points[index == k]) for k in range(n_clusters)])
    if not weights.any():
        weights = np.minimum(np.bincount(index, minlength=n_clusters), 1.0)
    return np.asarray(weights / weights.sum())


def balance(
    labels: np.ndarray, environments: np.ndarray, capacities: np.ndarray, total: int, weights: np.ndarray
) -> np.ndarray:
    """At most ``total`` images over cells (k,), the same number from every class that an environment holds.

    An environment's budget is limited by its smallest cell, since a class it has too little of would give the others
    away. An environment that holds a single class gets nothing, unless that class is found nowhere else.

    Args:
        labels: (k,) class of each cell; environments: (k,) its environment in 0..E-1.
        capacities: (k,) images each cell can give.
        weights: (E,) of the environments.
    """
    n_environments = len(weights)
    n_present = np.bincount(environments, minlength=n_environments)
    shared = np.isin(labels, labels[n_present[environments] > 1])  # classes that some environment shares
    usable = (n_present[environments] > 1) | ~shared
    smallest = np.full(n_environments, np.iinfo(np.int64).max)
    np.minimum.at(smallest, environments, capacities)
    n_usable = np.bincount(environments[usable], minlength=n_environments)
    per_environment = allocate(np.asarray(weights) * n_usable, total, smallest * n_usable)
    budget = np.zeros(len(labels), np.int64)
    for environment in np.flatnonzero(n_usable):
        own = np.flatnonzero(usable & (environments == environment))
        so_far = np.bincount(labels, budget)[labels[own]]
        own = own[np.argsort(so_far, kind="stable")]  # the odd image goes to the class that has fewest
        budget[own] = allocate(np.ones(len(own)), int(per_environment[environment]), capacities[own])
    return budget
