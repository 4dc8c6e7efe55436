"""Seeded k-means, distinct picks around its centres, and how many clusters: what S3, S7, S8 and S9 share.

Every function gives the same result for the same rows in another order, and with any number of cores: rows are sorted
before a seed touches them, and k-means runs on one thread.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np

FIT_ROWS = 100_000  # that k-means is fitted on: of more rows, a seeded sample
MINI_BATCH_ABOVE = 50_000_000  # rows x centres; one Lloyd iteration above it takes seconds
COARSE_ABOVE = 1_000_000  # rows x centres; k-means above it takes a second for each of a hundred classes
PARTS, PART_ROWS = 16, 10_000  # in which more are clustered, and the rows that say where these parts lie
PART_ABOVE = 50_000  # rows x centres of a part that is parted further


def canonical_order(points: np.ndarray) -> np.ndarray:
    """Order of the rows (N, d) by their values, first column first; (N,) int64."""
    order = np.argsort(points[:, 0], kind="stable")
    first = points[order, 0]
    equal = np.flatnonzero(first[1:] == first[:-1])
    tied = np.union1d(equal, equal + 1)  # few of many rows: further columns are looked at in these alone
    rows = order[tied]
    order[tied] = rows[np.lexsort(points[rows].T[::-1])]
    return np.asarray(order)


def seeded_kmeans(points: np.ndarray, n_clusters: int, seed: int, *, n_init: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """k-means of points (N, d): (cluster of each row (N,) int64, centres (k, d) float64).

    Clusters are numbered by falling size, then by their centre. Where fewer than n_clusters points differ, there are
    that many clusters: k <= n_clusters.
    """
    order = canonical_order(points)
    ordered = np.ascontiguousarray(points[order], dtype=np.float64)
    new = np.ones(len(ordered), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)  # sorted rows: equal ones are neighbours
    if new.sum() <= n_clusters:
        index_sorted, centres = np.cumsum(new) - 1, ordered[new]
    else:
        index_sorted, centres = _fit(ordered, n_clusters, seed, n_init)
    index = np.empty(len(points), np.int64)
    index[order] = index_sorted
    return _renumber(index, centres)


def _fit(points: np.ndarray, n_clusters: int, seed: int, n_init: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.cluster import KMeans, MiniBatchKMeans

    rows = _sample(points, FIT_ROWS, seed)
    model = (
        MiniBatchKMeans(n_clusters, n_init=1, batch_size=4096, random_state=seed)
        if len(rows) * n_clusters > MINI_BATCH_ABOVE
        else KMeans(n_clusters, n_init=n_init, random_state=seed)
    )
    with _thread_pools().limit(limits=1):  # more threads add up in any order, and the last bits decide ties
        model.fit(rows)
        index = model.labels_ if len(rows) == len(points) else model.predict(points)
    return index.astype(np.int64), model.cluster_centers_


def _sample(points: np.ndarray, n: int, seed: int) -> np.ndarray:
    """At most n seeded rows of points, which are sorted."""
    if len(points) <= n:
        return points
    return np.asarray(points[np.sort(np.random.default_rng(seed).choice(len(points), n, replace=False))])


@cache
def _thread_pools() -> Any:
    """A threadpoolctl.ThreadpoolController of the libraries that k-means computes with: call it with these loaded.

    Finding them among all that a process has loaded takes as long as k-means of some hundred points.
    """
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


def _renumber(index: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sizes = np.bincount(index, minlength=len(centres))
    order = np.lexsort((*centres.T[::-1], -sizes))
    order = order[sizes[order] > 0]
    position = np.empty(len(centres), np.int64)
    position[order] = np.arange(len(order))
    return position[index], centres[order]


def pick_around(points: np.ndarray, centres: np.ndarray, n_nearest: int, seed: int) -> np.ndarray:
    """For each centre (k, d) one seeded random pick among its n_nearest rows of points (N, d) not picked before.

    Returns k distinct positions, in the order of the centres. k must not exceed N.
    """
    from scipy.spatial import cKDTree

    order = canonical_order(points)
    tree = cKDTree(np.asarray(points[order], np.float64))
    rng = np.random.default_rng(seed)
    picked = np.zeros(len(points), bool)
    picks = []
    close = tree.query(centres, k=np.arange(1, min(2 * n_nearest, len(points)) + 1))[1]  # (k, 2 n_nearest), all at once
    for centre, near in zip(centres, close, strict=True):
        free = near[~picked[near]]
        free = free[:n_nearest] if len(free) >= n_nearest else _nearest_free(tree, centre, n_nearest, picked)
        pick = free[rng.integers(len(free))]
        picked[pick] = True
        picks.append(pick)
    return np.asarray(order[np.array(picks, np.int64)])


def _nearest_free(tree: object, centre: np.ndarray, n_nearest: int, picked: np.ndarray) -> np.ndarray:
    n = min(2 * n_nearest, len(picked))
    while True:
        near = np.atleast_1d(tree.query(centre, k=n)[1])  # type: ignore[attr-defined]
        free = near[~picked[near]]
        if len(free) >= n_nearest or n == len(picked):
            return np.asarray(free[:n_nearest])
        n = min(4 * n, len(picked))


def pick_diverse(points: np.ndarray, n: int, n_nearest: int, seed: int, *, at_once: int = COARSE_ABOVE) -> np.ndarray:
    """n distinct positions spread over points (N, d): k-means with n centres, one pick near each (S3, S9).

    Where that are more than ``at_once`` rows x centres, in parts, of which each gives its share: in n log n.
    """
    if n <= 0:
        return np.empty(0, np.int64)
    if n >= len(points):
        return np.arange(len(points))
    if len(points) * n > at_once:
        return _picked_in_parts(points, n, n_nearest, seed)
    centres = seeded_kmeans(points, n, seed, n_init=1)[1]
    centres = np.resize(centres, (n, points.shape[1]))  # duplicates leave fewer centres: go round them again
    return pick_around(points, centres, n_nearest, seed)


def _picked_in_parts(points: np.ndarray, n: int, n_nearest: int, seed: int) -> np.ndarray:
    order = canonical_order(points)
    index = _parts(np.ascontiguousarray(points[order], np.float64), min(PARTS, n), seed)
    sizes = np.bincount(index, minlength=PARTS)
    if sizes.max() == len(points):  # all are alike, or all of the sample
        return np.asarray(order[np.random.default_rng(seed).choice(len(points), n, replace=False)])
    ends = np.floor(np.cumsum(sizes) * n / len(points) + 0.5).astype(np.int64)  # shares that add up to n
    members = np.split(order[np.argsort(index, kind="stable")], np.cumsum(sizes)[:-1])
    shares = np.diff(ends, prepend=0).tolist()
    return np.concatenate(
        [
            rows[pick_diverse(points[rows], share, n_nearest, seed, at_once=PART_ABOVE)]
            for rows, share in zip(members, shares, strict=True)
        ]
    )


def _parts(ordered: np.ndarray, n: int, seed: int) -> np.ndarray:
    """(N,) the part of each row, by a k-means that is stopped early: it need not be the best."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    model = KMeans(n, n_init=1, max_iter=10, random_state=seed)
    with _thread_pools().limit(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(model.fit(_sample(ordered, PART_ROWS, seed)).predict(ordered))


def elbow_k(points: np.ndarray, k_max: int, seed: int) -> int:
    """Number of clusters in 1..k_max by the elbow: where the inertia lies farthest below its chord.

    The curve runs over k = 1..k_max + 1, so that every k in 2..k_max can be the answer; 1 where nothing spreads.
    """
    k_last = min(k_max + 1, len(np.unique(points, axis=0)))
    if k_last < 3:
        return max(k_last, 1)
    inertia = np.array([_inertia(points, k, seed) for k in range(1, k_last + 1)])
    x = np.linspace(0, 1, k_last)
    y = (inertia - inertia[-1]) / max(inertia[0] - inertia[-1], np.finfo(float).tiny)
    return int(np.argmax(1 - x - y)) + 1


def _inertia(points: np.ndarray, k: int, seed: int) -> float:
    index, centres = seeded_kmeans(points, k, seed)
    return float(((points - centres[index]) ** 2).sum())


def davies_bouldin_k(points: np.ndarray, k_max: int, seed: int) -> int:
    """Number of clusters in 2..k_max with the lowest Davies-Bouldin score (lower is better); 1 where N < 3."""
    from sklearn.metrics import davies_bouldin_score

    k_last = min(k_max, len(np.unique(points, axis=0)) - 1)
    scores = {}
    for k in range(2, k_last + 1):
        index = seeded_kmeans(points, k, seed)[0]
        if index.max() > 0:
            scores[k] = float(davies_bouldin_score(points, index))
    return min(scores, key=lambda k: (scores[k], k)) if scores else 1
