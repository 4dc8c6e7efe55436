"""Seeded k-means, distinct picks around its centres, and how many clusters: what S3, S7, S8 and S9 share.

Every function gives the same result for the same rows in another order, and with any number of cores: rows are sorted
before a seed touches them, and k-means runs on one thread.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

MINI_BATCH_ABOVE = 50_000_000  # rows x centres; one Lloyd iteration above it takes seconds
COARSE_ABOVE = 4_000_000  # rows x centres; k-means above it takes seconds in all


def canonical_order(points: np.ndarray) -> np.ndarray:
    """Order of the rows (N, d) by their values, first column first; (N,) int64."""
    return np.asarray(np.lexsort(points.T[::-1]))


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

    large = len(points) * n_clusters > MINI_BATCH_ABOVE
    model = (
        MiniBatchKMeans(n_clusters, n_init=1, batch_size=4096, random_state=seed)
        if large
        else KMeans(n_clusters, n_init=n_init, random_state=seed)
    )
    with _thread_pools().limit(limits=1):  # more threads add up in any order, and the last bits decide ties
        model.fit(points)
    return model.labels_.astype(np.int64), model.cluster_centers_


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


def many_centres(points: np.ndarray, n: int, seed: int) -> np.ndarray:
    """About n centres (k, d) of points (N, d), k <= n, where k-means with all of them at once would take minutes.

    The points are clustered coarsely first, into about sqrt(n) parts; each part then gets its share of the centres.
    """
    index, coarse = seeded_kmeans(points, max(2, round(n**0.5)), seed, n_init=1)
    sizes = np.bincount(index, minlength=len(coarse))
    ends = np.floor(np.cumsum(sizes) * n / len(points) + 0.5).astype(np.int64)  # shares that add up to n
    shares = np.diff(ends, prepend=0)
    parts = [
        seeded_kmeans(points[index == part], int(share), seed, n_init=1)[1]
        for part, share in enumerate(shares)
        if share
    ]
    return np.concatenate(parts)


def pick_diverse(points: np.ndarray, n: int, n_nearest: int, seed: int) -> np.ndarray:
    """n distinct positions spread over points (N, d): k-means with n centres, one pick near each (S3, S9)."""
    if n <= 0:
        return np.empty(0, np.int64)
    if n >= len(points):
        return np.arange(len(points))
    many = len(points) * n > COARSE_ABOVE
    centres = many_centres(points, n, seed) if many else seeded_kmeans(points, n, seed, n_init=1)[1]
    centres = np.resize(centres, (n, points.shape[1]))  # duplicates leave fewer centres: go round them again
    return pick_around(points, centres, n_nearest, seed)


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
