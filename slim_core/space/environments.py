"""S2 and S7: the environments that images are seen in, as clusters of what the model sees where it does not look.

And the two views of an image in one reduction: what it is to curation if its attention is right, and if it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from slim_core.errors import SpecRefusedError
from slim_core.parameters import Display, PublicConfig, Seed
from slim_core.space.clustering import canonical_order, seeded_kmeans
from slim_core.space.embedding import CHUNK_ROWS, Pca, check_finite, fit_pca, normalise_rows, project, sampled

SILHOUETTE_ROWS = 2_000  # the silhouette is quadratic: it is estimated on this many rows of a class


class ClusterConfig(PublicConfig):
    """How environment features become clusters."""

    seed: Seed = 0
    n_clusters: Annotated[int | None, Display(place="more")] = Field(
        default=None,
        ge=1,
        le=64,
        title="Clusters",
        description="Environment clusters of all classes; default: chosen from the data.",
    )
    k_min: Annotated[int, Display(place="more")] = Field(
        default=2, ge=1, title="Fewest clusters", description="Fewest environment clusters that are tried."
    )
    k_max: Annotated[int, Display(place="more")] = Field(
        default=8, ge=1, le=64, title="Most clusters", description="Most environment clusters that are tried."
    )
    cluster_dims: Annotated[int, Display(place="more")] = Field(
        default=10,
        ge=1,
        title="Cluster dimensions",
        description="PCA dimensions in which the environment is clustered.",
    )
    scope: Annotated[Literal["all", "class"], Display(place="nowhere", on_command_line=False)] = Field(
        default="all",
        title="Scope",
        description="Cluster the images of all classes at once, or each class by itself.",
    )

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Self:
        """As a space was made."""
        return cls(**{name: spec[name] for name in cls.model_fields if name in spec})

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.k_min > self.k_max:
            raise SpecRefusedError(f"k_min: {self.k_min} is above k_max {self.k_max}: give a k_min that is no larger.")
        return self


@dataclass(frozen=True, eq=False)
class Clusters:
    """The environment clusters of N images."""

    index: np.ndarray  # (N,) int64, 0 the largest; in scope "all" a number means the same environment in every class
    n_per_class: tuple[int, ...]  # class 0, 1, ... has clusters 0..n-1, of which some may be empty; 0 without images
    reduced: np.ndarray  # (N, d) float32, row-normalised environment features after PCA
    silhouettes: tuple[dict[int, float], ...] = field(default=())  # per class: number of clusters -> mean silhouette

    def n_clusters(self, n_classes: int) -> list[int]:
        """Clusters of each class of the data set, 0 also for the last classes, of which no image is here."""
        return [*map(int, self.n_per_class), *[0] * (n_classes - len(self.n_per_class))]

    def occupied(self, labels: np.ndarray, n_classes: int) -> list[int]:
        """Clusters in which each class of the data set has images. ``labels`` (N,): of the images."""
        return [len(np.unique(self.index[labels == label])) for label in range(n_classes)]

    def to_json(self) -> dict[str, Any]:
        """What is worth showing, without the arrays."""
        scores = [{str(k): round(score, 4) for k, score in one.items()} for one in self.silhouettes]
        return {"n_per_class": list(self.n_per_class), "silhouettes": scores, "dims": int(self.reduced.shape[1])}


def environment_clusters(
    environment_features: np.ndarray, labels: np.ndarray, config: ClusterConfig | None = None
) -> Clusters:
    """The environments that images are seen in: r row-normalised, PCA, k-means.

    What the model sees where it does not look separates the spurious attribute far better than pooled or attention
    features do (METHOD, "What we measured"). Clustering all classes at once (the default) names the environments the
    same in every class, and finds one that is rare in a class by its many images in another: on the demo set at 90, 95
    and 98 % correlation, equal weights on class x environment leave the attribute's share 0.05, 0.1 and 0.2 apart
    between the classes, against 0.37, 0.9 and 0.97 with clusters of each class by itself.

    The number of clusters, where none is given, is the largest in k_min..k_max whose mean silhouette lies within a
    tenth of the best: splitting an environment in two costs little, merging two loses the group.

    Args:
        environment_features: (N, K) r, any float type; may be memory-mapped.
        labels: (N,) class of each image.
        config: see ClusterConfig.

    Raises:
        SpecRefusedError: the features are not (N, K) or hold NaN or infinity.
    """
    config = config or ClusterConfig()
    check_finite(environment_features)
    reduced = reduce_features(environment_features, config)
    n_classes = int(labels.max()) + 1 if len(labels) else 0
    index = np.zeros(len(labels), np.int64)
    n_per_class = np.zeros(n_classes, np.int64)
    silhouettes: list[dict[int, float]] = [{} for _ in range(n_classes)]
    for members in _scopes(labels, config):
        index[members], scores = _cluster(reduced[members], config)
        for label in np.unique(labels[members]):
            n_per_class[label], silhouettes[label] = index[members].max() + 1, scores
    return Clusters(index, tuple(n_per_class.tolist()), reduced, tuple(silhouettes))


def _scopes(labels: np.ndarray, config: ClusterConfig) -> list[np.ndarray]:
    """The positions that are clustered together."""
    if config.scope == "all":
        return [np.arange(len(labels))] if len(labels) else []
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _cluster(points: np.ndarray, config: ClusterConfig) -> tuple[np.ndarray, dict[int, float]]:
    """The cluster of each point (n,), and the silhouettes its number was chosen by."""
    scores = {} if config.n_clusters else _silhouettes(points, config)
    return seeded_kmeans(points, config.n_clusters or _choose(scores), config.seed)[0], scores


def reduce_features(features: np.ndarray, config: ClusterConfig) -> np.ndarray:
    """(n, d) float32: features (n, K) of any float type, row-normalised, after PCA; a part at a time."""
    return _project_rows(_fit_reduction(features, config), features)


def _fit_reduction(features: np.ndarray, config: ClusterConfig) -> Pca:
    sample = sampled(np.arange(len(features)), CHUNK_ROWS, config.seed)
    return fit_pca(normalise_rows(features[sample]), config.cluster_dims, config.seed)


def _project_rows(pca: Pca, features: np.ndarray) -> np.ndarray:
    chunks = [project(pca, normalise_rows(features[i : i + CHUNK_ROWS])) for i in range(0, len(features), CHUNK_ROWS)]
    return np.concatenate(chunks) if chunks else np.empty((0, len(pca.axes)), np.float32)


def _silhouettes(points: np.ndarray, config: ClusterConfig) -> dict[int, float]:
    """Mean silhouette of each number of clusters, on a seeded sample; empty where the class is too small to split."""
    from sklearn.metrics import silhouette_score

    if len(points) > SILHOUETTE_ROWS:
        chosen = np.random.default_rng(config.seed).choice(len(points), SILHOUETTE_ROWS, replace=False)
        points = points[canonical_order(points)[np.sort(chosen)]]
    scores = {}
    for k in range(max(2, config.k_min), config.k_max + 1):
        if len(points) < 2 * k or len(np.unique(points, axis=0)) <= k:
            break
        index = seeded_kmeans(points, k, config.seed)[0]
        scores[k] = float(silhouette_score(points, index))
    return scores


def _choose(scores: dict[int, float]) -> int:
    if not scores or max(scores.values()) <= 0:
        return 1
    best = max(scores.values())
    return max(k for k, score in scores.items() if score >= 0.9 * best)


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
