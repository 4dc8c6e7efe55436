"""The images nearest to one by their features: exact, from features that stay on disk.

A look through features of 100,000 images reads some 400 MB. So the first question about them reads them once, and keeps
of each image its place on a few principal axes and how far it lies from these: both together bound every distance from
below (Pythagoras, and the triangle inequality for what the axes leave out). Later questions read the features of those
images alone that the bound does not exclude.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slim_core.space.embedding import Pca, fit_pca, project

CHUNK_ROWS = 4096
AXES = 32
SAMPLE = 4096  # images that the axes are fit on, seeded
FIRST = 256  # images whose distance is computed before the bound is known
SLACK = 1e-3  # of a bound, for rounding


@dataclass(frozen=True, eq=False)
class Similarity:
    """Distances among m images, Euclidean as in the attention space."""

    features: NDArray[np.floating]  # (N, K), of any float type; may be memory-mapped
    positions: NDArray[np.int64]  # (m,) ascending: which of the N are asked about
    reduced: NDArray[np.float32]  # (m, d) on the principal axes
    beside: NDArray[np.float32]  # (m,) distance from their span

    @classmethod
    def of(cls, features: NDArray[np.floating], positions: NDArray[np.int64], seed: int = 0) -> Similarity:
        """Reads the features once, in chunks."""
        n = len(positions)
        sampled = np.random.default_rng(seed).choice(n, SAMPLE, replace=False) if n > SAMPLE else np.arange(n)
        pca = fit_pca(features[positions[np.sort(sampled)]], AXES, seed)
        reduced, beside = np.empty((n, len(pca.axes)), np.float32), np.empty(n, np.float32)
        for start in range(0, n, CHUNK_ROWS):
            part = slice(start, start + CHUNK_ROWS)
            reduced[part], beside[part] = _placed(np.asarray(features[positions[part]], np.float32), pca)
        return cls(features, positions, reduced, beside)

    def nearest(self, at: int, n: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The n others nearest to image ``at`` (0..m-1), nearest first, equal ones in their order; and how far away."""
        n = min(n, len(self.positions) - 1)
        bound = np.sqrt(_squared(self.reduced, self.reduced[at]) + (self.beside - self.beside[at]) ** 2)
        bound[at] = np.inf
        first = np.argpartition(bound, min(max(n, FIRST), len(bound)) - 1)[: max(n, FIRST)]
        distance = np.full(len(bound), np.inf, np.float32)
        distance[first] = self._distances(first, at)
        farthest = np.partition(distance, n - 1)[n - 1] if n else 0.0
        rest = np.flatnonzero((bound <= farthest * (1 + SLACK)) & np.isinf(distance))
        distance[rest] = self._distances(rest, at)
        distance[at] = np.inf
        order = np.argsort(distance, kind="stable")[:n]
        return order, distance[order]

    def _distances(self, those: NDArray[np.int64], at: int) -> NDArray[np.float32]:
        """(k,) to image ``at``; in the order in which their features lie on disk."""
        found, query = np.empty(len(those), np.float32), np.asarray(self.features[self.positions[at]], np.float32)
        order = np.argsort(those)
        for start in range(0, len(those), CHUNK_ROWS):
            part = order[start : start + CHUNK_ROWS]
            rows = np.asarray(self.features[self.positions[those[part]]], np.float32)
            found[part] = np.sqrt(_squared(rows, query))
        return found


def _placed(features: NDArray[np.float32], pca: Pca) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n, d) on the axes, and (n,) the distance from their span."""
    reduced = project(pca, features)
    return reduced, np.sqrt(_squared(features - reduced @ pca.axes, pca.mean))


def _squared(points: NDArray[np.float32], to: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) squared distances of (n, K) to (K,)."""
    difference = points - to
    found: NDArray[np.float32] = np.einsum("ij,ij->i", difference, difference)
    return found
