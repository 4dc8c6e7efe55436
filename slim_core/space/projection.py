"""Features in fewer dimensions: seeded PCA, applied in chunks so that memory-mapped arrays of any length will do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slim_core.errors import SpecRefusedError

CHUNK_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class Pca:
    """Where the features' axes of greatest variance lie."""

    mean: np.ndarray  # (K,)
    axes: np.ndarray  # (d, K)


def fit_pca(features: np.ndarray, dims: int, seed: int) -> Pca:
    """PCA of features (N, K) to min(dims, N, K) dimensions, seeded; the sign of each axis is fixed."""
    from sklearn.decomposition import PCA

    features = np.asarray(features, np.float32)
    dims = min(dims, *features.shape)
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    if dims == 0 or not (features != features[:1]).any():
        return Pca(mean, np.zeros((max(dims, 1), features.shape[1]), np.float32))
    model = PCA(dims, random_state=seed).fit(features)
    return Pca(model.mean_, model.components_)


def project(pca: Pca, features: np.ndarray, check_stop: Callable[[], None] | None = None) -> np.ndarray:
    """Features (N, K) on the axes of a PCA, in chunks: (N, d) float32."""
    out = np.empty((len(features), len(pca.axes)), np.float32)
    for start in range(0, len(features), CHUNK_ROWS):
        if check_stop:
            check_stop()
        rows = slice(start, start + CHUNK_ROWS)
        out[rows] = (np.asarray(features[rows], np.float32) - pca.mean) @ pca.axes.T
    return out


def sampled(positions: np.ndarray, most: int, seed: int) -> np.ndarray:
    """All of these positions (n,), or ``most`` of them, ascending."""
    if len(positions) <= most:
        return positions
    return np.sort(np.random.default_rng(seed).choice(positions, most, replace=False))


def normalise_rows(features: np.ndarray) -> np.ndarray:
    """Rows of (N, K) scaled to length 1, float32; a row of zeros stays."""
    features = np.asarray(features, np.float32)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(length > 0, length, 1.0), np.float32)


def check_finite(features: np.ndarray) -> None:
    """Refuse features that no distance can be taken of.

    Raises:
        SpecRefusedError: they are not (N, K), or hold NaN or infinity.
    """
    if features.ndim != 2:
        raise SpecRefusedError(f"Features have the shape {features.shape}: (images, features) is needed.")
    for start in range(0, len(features), CHUNK_ROWS):
        bad = np.flatnonzero(~np.isfinite(features[start : start + CHUNK_ROWS]).all(axis=1))
        if len(bad):
            raise SpecRefusedError(
                f"The features of image {start + bad[0]} of this split are not finite: run gradcam again on a model "
                f"whose loss did not diverge."
            )
