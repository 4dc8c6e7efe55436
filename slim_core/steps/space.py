"""The two attention spaces and the environment clusters of one split (METHOD.md S2 and the clusters of S7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slim_core.data.table import ImageTable
from slim_core.errors import SpecRefusedError
from slim_core.space.embedding import SpaceConfig, embed
from slim_core.space.environments import ClusterConfig, Clusters, environment_clusters
from slim_core.steps.context import StepContext
from slim_core.steps.specs import SpaceSpec

SPACES = ("attention", "environment")
STAGES = ("attention space", "environment space", "environment clusters")
SMALLEST = 10  # images below which neighbours mean nothing


def run(spec: SpaceSpec, context: StepContext) -> dict[str, Any]:
    """Write rows, attention_space, environment_space, environment_reduced, clusters (.npy) and clusters.json.

    A stop is seen between the epochs of UMAP. Its search for neighbours cannot be interrupted from within: there a
    worker kills the process of the job after the grace time.

    Raises:
        SpecRefusedError: the features do not cover the split or are not finite, or there are too few images.
    """
    table = context.table(spec.dataset)
    folder = context.parent(spec.attention)
    positions = positions_of(table, folder, spec.split)
    rows = np.load(folder / "rows.npy", allow_pickle=False)[positions]
    np.save(context.out / "rows.npy", rows)
    for at, name in enumerate(SPACES):
        np.save(context.out / f"{name}_space.npy", _space(at, features_at(folder, name, positions), spec, context))
    context.check_stop()
    context.progress(2, len(STAGES), STAGES[2])
    features = features_at(folder, "environment", positions)
    clusters = environment_clusters(features, table.labels[rows], _cluster_config(spec))
    _save_clusters(clusters, table, context.out)
    context.progress(3, len(STAGES), STAGES[2])
    return {
        "images": len(rows),
        "clusters": dict(zip(table.label_names, clusters.n_clusters(table.n_classes), strict=True)),
    }


def _space(at: int, features: NDArray[np.float32], spec: SpaceSpec, context: StepContext) -> NDArray[np.float32]:
    """Features (n, K) as points (n, 2); ``at``: which of the stages this is."""

    def report(epoch: int, epochs: int) -> None:
        context.progress(at, len(STAGES), STAGES[at], epoch=epoch, epochs=epochs)

    context.progress(at, len(STAGES), STAGES[at])
    return embed(features, _space_config(spec), check_stop=context.check_stop, on_epoch=report)


def positions_of(table: ImageTable, folder: Path, split: str) -> NDArray[np.int64]:
    """Positions in the arrays of an attention pass that belong to the split.

    Raises:
        SpecRefusedError: an image of the split is missing there, or the split has too few images.
    """
    wanted = table.rows(split)
    if len(wanted) < SMALLEST:
        raise SpecRefusedError(
            f"{table.name} has {len(wanted)} {split} images: an attention space needs at least {SMALLEST}."
        )
    rows = np.load(folder / "rows.npy", allow_pickle=False)
    positions = np.flatnonzero(np.isin(rows, wanted))
    if len(positions) < len(wanted):
        raise SpecRefusedError(
            f"The features cover {len(positions)} of the {len(wanted)} {split} images: "
            f"run gradcam or features with {split} among its splits."
        )
    return positions


def features_at(folder: Path, name: str, positions: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, K) float32 of "attention" or "environment" features."""
    stored = np.load(folder / f"{name}_features.npy", mmap_mode="r", allow_pickle=False)
    return np.asarray(stored[positions], dtype=np.float32)


def _space_config(spec: SpaceSpec) -> SpaceConfig:
    return SpaceConfig(
        n_neighbors=spec.n_neighbors,
        min_dist=spec.min_dist,
        seed=spec.seed,
        pca_above=spec.pca_above,
        pca_dims=spec.pca_dims,
    )


def _cluster_config(spec: SpaceSpec) -> ClusterConfig:
    return ClusterConfig(
        pca_dims=spec.cluster_dims, k_min=spec.k_min, k_max=spec.k_max, seed=spec.seed, n_clusters=spec.n_clusters
    )


def _save_clusters(clusters: Clusters, table: ImageTable, out: Path) -> None:
    np.save(out / "environment_reduced.npy", clusters.reduced)
    np.save(out / "clusters.npy", clusters.index)
    about = clusters.to_json() | {"n_per_class": clusters.n_clusters(table.n_classes)}
    (out / "clusters.json").write_text(json.dumps(about, indent=1))


def load_clusters(folder: Path) -> Clusters:
    """The environment clusters a space run has left."""
    return Clusters(
        index=np.load(folder / "clusters.npy", allow_pickle=False),
        n_per_class=tuple(json.loads((folder / "clusters.json").read_text())["n_per_class"]),
        reduced=np.load(folder / "environment_reduced.npy", allow_pickle=False),
    )
