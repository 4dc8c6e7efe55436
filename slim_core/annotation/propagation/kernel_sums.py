"""What many points weigh at others, as logarithms: by a series where both are many, else pair by pair.

In logarithms an image far from every answer still gets the score of the nearest ones, never 0/0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slim_core.annotation.propagation.series import Series

CHUNK_ENTRIES = 1_000_000  # kernel entries held at once: 8 MB an array, which stays in a processor's cache
SURE = 1e-6  # share of all weights above which a sum of the series, exact to 1e-16 of them, is right to ten digits


def chunks(n: int, width: int) -> Iterator[slice]:
    step = max(1, CHUNK_ENTRIES // max(1, width))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(a, b, "sqeuclidean"))


def is_by_series(x: np.ndarray, n: int, gamma: float) -> bool:
    """True where the kernel between the points x (m, 2) and n of them is summed by the series."""
    return Series(x, gamma).is_quicker(len(x), n)


def log_sums(at: np.ndarray, centres: np.ndarray, log_weights: np.ndarray, gamma: float) -> np.ndarray:
    """log sum_j exp(log_weights_j - gamma |at_i - centres_j|^2) (n,), right to ten digits; -inf without centres (L,).

    By pairs are summed where they are few, where nothing is near, and what an outlier weighs: it would hide all others.
    """
    if not len(centres) or not len(at):
        return np.full(len(at), -np.inf)
    series = Series(np.concatenate([at, centres]), gamma)
    if not series.is_quicker(len(at), len(centres)):
        return _by_pairs(at, centres, log_weights, gamma)
    light = log_weights <= 0
    weights = np.exp(log_weights[light])
    found = series.sums(at, centres[light], weights)
    near = found > SURE * weights.sum()
    sums = np.empty(len(at))
    sums[near] = np.log(found[near])
    sums[~near] = _by_pairs(at[~near], centres[light], log_weights[light], gamma)
    return np.asarray(np.logaddexp(sums, _by_pairs(at, centres[~light], log_weights[~light], gamma)))


def log_degrees(x: np.ndarray, known: np.ndarray, gamma: float) -> np.ndarray:
    """log D_j = log of the sum over i != j of W_ij (L,), for the answered points; 0 for a point that is alone."""
    series = Series(x, gamma)
    if not series.is_quicker(len(x), len(known)):
        return _degrees_by_pairs(x, known, gamma)
    found = series.sums(x[known], x, np.ones(len(x))) - 1  # itself
    near = found > SURE * len(x)
    degrees = np.empty(len(known))
    degrees[near] = np.log(found[near])
    degrees[~near] = _degrees_by_pairs(x, known[~near], gamma)
    return degrees


def _by_pairs(at: np.ndarray, centres: np.ndarray, log_weights: np.ndarray, gamma: float) -> np.ndarray:
    """As ``log_sums``; in parts, relative to the highest of each."""
    sums = np.full(len(at), -np.inf)
    if not len(centres):
        return sums
    for part in chunks(len(at), len(centres)):
        log_w = squared_distances(at[part], centres)
        log_w *= -gamma
        log_w += log_weights
        highest = log_w.max(axis=1)
        log_w -= highest[:, None]
        sums[part] = highest + np.log(np.exp(log_w, out=log_w).sum(axis=1))
    return sums


def _degrees_by_pairs(x: np.ndarray, known: np.ndarray, gamma: float) -> np.ndarray:
    highest = np.full(len(known), -np.inf)
    total = np.zeros(len(known))
    for rows in chunks(len(x), len(known)):
        log_w = -gamma * squared_distances(x[rows], x[known])
        itself = np.flatnonzero((known >= rows.start) & (known < rows.stop))
        log_w[known[itself] - rows.start, itself] = -np.inf
        new = np.maximum(highest, log_w.max(axis=0))
        safe = np.where(np.isfinite(new), new, 0.0)
        total = total * np.exp(highest - safe) + np.exp(log_w - safe).sum(axis=0)
        highest = new
    alone = total == 0
    return np.where(alone, 0.0, np.where(alone, 0.0, highest) + np.log(np.where(alone, 1.0, total)))
