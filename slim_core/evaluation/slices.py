"""Worst slices found without attributes: class x environment cluster, ranked by accuracy.

Where nobody has said what a class is seen with, images that look alike *outside the attention* still show it:
on the demo set, clusters of the environment features r hold 98-99 % of one attribute (METHOD, "What we measured").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.data.groups import Grouping, pseudo_groups
from slim_core.errors import NotFoundError
from slim_core.evaluation.ancestry import Ancestry
from slim_core.metrics import wilson
from slim_core.space.environments import environment_clusters
from slim_core.store.results import AttentionResult, SpaceResult

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.store import Run, Store

MIN_N = 20  # images of the smallest slice that is ranked: below, an accuracy says little


@dataclass(frozen=True, eq=False)
class Slices:
    """Estimated groups of some images, and the run whose features or clusters they come from."""

    grouping: Grouping
    source: str


def worst_slices(correct: NDArray[np.bool_], grouping: Grouping, min_n: int = MIN_N) -> pd.DataFrame:
    """One row a slice with at least ``min_n`` images, lowest accuracy first; of equal ones the larger first.

    Args:
        correct: (N,) whether each image is predicted right.
        grouping: of the same N images.

    Returns:
        slice (its index in the grouping), name, n, correct, accuracy and its 95 % Wilson interval low, high (0..1).
    """
    import pandas as pd

    n, n_right = grouping.counts(), grouping.counts(np.flatnonzero(correct))
    low, high = wilson(n_right, n)
    slices = pd.DataFrame({"name": grouping.names, "n": n, "correct": n_right}).rename_axis("slice").reset_index()
    ranked = slices.assign(accuracy=slices["correct"] / slices["n"], low=low, high=high)[n >= max(1, min_n)]
    return ranked.sort_values(["accuracy", "n", "slice"], ascending=[True, False, True], ignore_index=True)


def mostly(attributes: NDArray[np.int64], inside: NDArray[np.bool_]) -> tuple[int, float]:
    """The attribute most images of a slice have, and their share (0..1): what the slice turned out to be.

    (-1, NaN) where no image has a known attribute.
    """
    known = attributes[inside & (attributes >= 0)]
    if not len(known):
        return -1, float("nan")
    counts = np.bincount(known)
    return int(counts.argmax()), float(counts.max() / len(known))


def slices_of(store: Store, evaluation: Run, ancestry: Ancestry) -> Slices:
    """Class x environment cluster of the images an evaluation predicted, in the order of its predictions.

    The clusters are those of a space run of that split where the evaluation descends from one; else the environment
    features of its lineage are clustered now. Models retrained on a reference's subset thus share its slices.

    Raises:
        NotFoundError: no attention or features run that it descends from, or of its model, covers the split.
    """
    table = store.datasets.table(evaluation.dataset_id)
    split = evaluation.spec["split"]
    rows = table.rows(split)
    labels = table.labels[rows]
    graph = ancestry.graph
    # the oldest first: a later pass over the same model does not give its slices other borders
    for run in (*graph.spaces_of(evaluation, split), *graph.attentions_of(evaluation)):
        folder = store.artifacts.folder(run.id)
        seen = AttentionResult(folder)
        if run.kind == "space" and np.array_equal(seen.rows, rows):
            found = SpaceResult(folder).clusters()
            n_clusters = found.n_clusters(table.n_classes)
            return Slices(pseudo_groups(labels, found.index, n_clusters, table.label_names, split), run.id)
        if run.kind != "space" and np.isin(rows, seen.rows).all():
            return Slices(_clustered(seen, rows, labels, table.label_names, split), run.id)
    raise NotFoundError(
        f"No attention maps of the {split} images: map the attention of the model on that split, "
        "and its worst slices are found from what it sees."
    )


def _clustered(
    seen: AttentionResult, rows: NDArray[np.int64], labels: NDArray[np.int64], label_names: tuple[str, ...], split: str
) -> Grouping:
    found = environment_clusters(seen.features("environment", seen.positions(rows)), labels)
    return pseudo_groups(labels, found.index, found.n_clusters(len(label_names)), label_names, split)
