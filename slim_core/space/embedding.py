"""S2: attention and environment features in two dimensions, by UMAP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from slim_core.parameters import Display, PublicConfig, Seed
from slim_core.space.projection import CHUNK_ROWS, check_finite, fit_pca, project
from slim_core.space.umap_fit import EpochTicks, fit_umap, quiet


class SpaceConfig(PublicConfig):
    """How features become a 2-D space."""

    seed: Seed = 0
    n_neighbors: Annotated[int, Display(place="more")] = Field(  # reference
        default=5, ge=2, le=500, title="Neighbours", description="Neighbours of each image in UMAP."
    )
    min_dist: Annotated[float, Display(step=0.05, place="more")] = Field(  # reference
        default=0.0, ge=0, lt=1, title="Minimum distance", description="Minimum distance between points in UMAP."
    )
    pca_above: Annotated[int, Display(place="more")] = (
        Field(  # both are fit on so many seeded rows, the rest is transformed
            default=50_000, ge=100, title="PCA above", description="PCA is applied before UMAP above this many images."
        )
    )
    pca_dims: Annotated[int, Display(place="more")] = Field(
        default=50, ge=2, title="PCA dimensions", description="Dimensions of that PCA."
    )


def embed(
    features: np.ndarray,
    config: SpaceConfig | None = None,
    *,
    check_stop: Callable[[], None] | None = None,
    on_epoch: Callable[[int, int], None] | None = None,
    on_placed: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Features (N, K) as points (N, 2) float32: UMAP with Euclidean distances and a fixed seed (METHOD S2).

    Up to ``pca_above`` rows UMAP is fit on all of them. Above, PCA and UMAP are fit on that many seeded rows and the
    rest is transformed in chunks. Fewer than n_neighbors + 2 rows are too few for UMAP: they get their first two
    principal components. The same features and config give the same points, so the config is all that need be kept.

    Args:
        features: (N, K), any float type; may be memory-mapped.
        config: see SpaceConfig.
        check_stop: called between stages and about once a second during UMAP's epochs; what it raises ends the step.
            The search for neighbours before the first epoch cannot be interrupted.
        on_epoch: (epochs of UMAP done, in all), about once a second.
        on_placed: above ``pca_above``, once UMAP is fitted: (rows that have their points, N), for each chunk.

    Raises:
        SpecRefusedError: the features are not (N, K) or hold NaN or infinity.
    """
    config = config or SpaceConfig()
    check_stop, on_epoch = check_stop or _never_stop, on_epoch or _tell_nobody
    check_finite(features)
    n = len(features)
    if n < config.n_neighbors + 2:
        return _pad(project(fit_pca(features, 2, config.seed), features), 2)
    if n <= config.pca_above:
        return _fit(np.asarray(features, np.float32), config, EpochTicks(check_stop, on_epoch))[1]
    return _embed_large(features, config, EpochTicks(check_stop, on_epoch), on_placed or _tell_nobody)


def _embed_large(
    features: np.ndarray, config: SpaceConfig, ticks: EpochTicks, on_placed: Callable[[int, int], None]
) -> np.ndarray:
    n = len(features)
    sample = np.sort(np.random.default_rng(config.seed).choice(n, config.pca_above, replace=False))
    reduced = project(fit_pca(features[sample], config.pca_dims, config.seed), features, ticks.check_stop)
    model, placed = _fit(reduced[sample], config, ticks)
    points = np.empty((n, 2), np.float32)
    points[sample] = placed
    ticks.is_fitted = True
    rest = np.setdiff1d(np.arange(n), sample)
    for start in range(0, len(rest), CHUNK_ROWS):
        ticks.check_stop()
        on_placed(len(sample) + start, n)  # the first chunk waits for UMAP to prepare its search
        rows = rest[start : start + CHUNK_ROWS]
        with quiet():
            points[rows] = model.transform(reduced[rows])
    return points


def _fit(features: np.ndarray, config: SpaceConfig, ticks: EpochTicks) -> tuple[Any, np.ndarray]:
    return fit_umap(features, ticks, n_neighbors=config.n_neighbors, min_dist=config.min_dist, seed=config.seed)


def _never_stop() -> None:
    return None


def _tell_nobody(_done: int, _total: int) -> None:
    return None


def _pad(points: np.ndarray, dims: int) -> np.ndarray:
    return np.pad(points, ((0, 0), (0, dims - points.shape[1])))
