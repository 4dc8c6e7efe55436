"""Two views of an image in one reduction: what it is to curation if its attention is right, and if it is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slim_core.errors import SpecRefusedError
from slim_core.space.embedding import CHUNK_ROWS, check_finite, fit_pca, normalise_rows, project, sampled
from slim_core.space.environments import ClusterConfig

CONTRAST_DIMS = 50


@dataclass(frozen=True, eq=False)
class Views:
    """The two views of n images."""

    if_right: np.ndarray  # (n, d) float32: what lies outside the attention
    if_wrong: np.ndarray  # (n, d) float32 in the same reduction: the whole image, or what the attention is on
    contrast: np.ndarray | None = None  # (n, k) float32: what the attention is on less what lies outside; None: unasked
    attended: np.ndarray | None = None  # (n,) bool: whether the attention is on anything; None: unasked

    def __len__(self) -> int:
        return len(self.if_right)


def views(outside: np.ndarray, other: np.ndarray, positions: np.ndarray, config: ClusterConfig) -> Views:
    """Both row-normalised and reduced by one PCA, so that they may be mixed image by image.

    Args:
        outside: (N, K) environment features r, any float type; may be memory-mapped. other: (N, K) pooled or attention
            features.
        positions: (n,) of the images that are asked for.
        config: see ClusterConfig.

    Raises:
        SpecRefusedError: the features, of many images those of a sample, hold NaN or infinity; or the two are not of
            the same layer, as where the head sees other values than those of the map.
    """
    if outside.shape[1] != other.shape[1]:
        raise SpecRefusedError(
            f"The head of this network sees {other.shape[1]} values of an image and its map has {outside.shape[1]} "
            f"channels, so what lies outside the attention cannot be put beside the whole image: take the environments "
            f"of the space (environments=space), or outside and inside wrong attention (environments=both)."
        )
    sample = sampled(positions, CHUNK_ROWS // 2, config.seed)
    for each in (outside, other):
        check_finite(each[sample])
    seen = np.concatenate([normalise_rows(each[sample]) for each in (outside, other)])
    pca = fit_pca(seen, config.cluster_dims, config.seed)
    if_right, if_wrong = (
        np.concatenate([project(pca, normalise_rows(each[part])) for part in _parts(positions)])
        for each in (outside, other)
    )
    return Views(if_right, if_wrong)


def contrast(attended: np.ndarray, outside: np.ndarray, positions: np.ndarray, seed: int) -> np.ndarray:
    """What the attention is on less what lies outside it, both row-normalised: (n, at most 50) float32, by PCA.

    It tells better than where an image lies in the attention space whether its attention is right: there a sky that is
    attended and a bird that is attended may be neighbours.

    Args:
        attended, outside: (N, K) attention and environment features; may be memory-mapped.
        positions: (n,) of the images that are asked for.
        seed: of the sample of many images that the PCA is fitted to.
    """
    pca = fit_pca(_difference(attended, outside, sampled(positions, CHUNK_ROWS, seed)), CONTRAST_DIMS, seed)
    return np.concatenate([project(pca, _difference(attended, outside, part)) for part in _parts(positions)])


def is_on_anything(attended: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(n,) bool: not where a map is empty, of which attention features (N, K) are 0."""
    return np.concatenate([np.asarray(attended[part] != 0).any(axis=1) for part in _parts(positions)])


def _difference(attended: np.ndarray, outside: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return np.asarray(normalise_rows(attended[positions]) - normalise_rows(outside[positions]), np.float32)


def _parts(positions: np.ndarray) -> list[np.ndarray]:
    return [positions[i : i + CHUNK_ROWS] for i in range(0, max(len(positions), 1), CHUNK_ROWS)]
