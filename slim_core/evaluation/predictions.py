"""What a model predicts for each image: one table, of an evaluation, an attention pass, a space, or of two models.

And where no attribute is known: the slices, class x environment, on which it is worst.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.data.groups import NO_GROUP, Grouping, grouping, pseudo_groups
from slim_core.errors import NotFoundError
from slim_core.evaluation.comparison import Ancestry
from slim_core.metrics import AIOU, ATTENTION_PRECISION, groups_of, wilson
from slim_core.space.environments import environment_clusters
from slim_core.store.results import AttentionResult, EvaluationResult, SpaceResult

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.data.table import ImageTable
    from slim_core.store import Run, Store


OPTIONAL = ("loss", "entropy", "no_evidence", AIOU, ATTENTION_PRECISION)
OF_THE_IMAGE = ("split", "label", "label_name", "group", "group_name")  # the same whatever the model
MIN_N = 20  # images of the smallest slice that is ranked: below, an accuracy says little
CLUSTER = "environment_cluster"
SPLITS = ("train", "val", "test")  # which space of a model is shown, where it has several
UNKNOWN = NO_GROUP


def predictions(store: Store, evaluation: Run) -> pd.DataFrame:
    """One row an image, in the order of the split, with the groups of the evaluation.

    Returns:
        row, split, label, label_name, prediction, prediction_name, correct, group (index, UNGROUPED = -1), group_name,
        confidence (0..1), and those of OPTIONAL that the run has kept. The names are categoricals in the order of the
        data (``slim_core.data.groups.in_order``).

    Raises:
        NotFoundError: the evaluation is not done, or its files were removed.
    """
    kept = EvaluationResult(store.artifacts.folder(evaluation.id)).predictions()
    names = [group["name"] for group in groups_of(evaluation.metrics or {})]
    return _table(store.datasets.table(evaluation.dataset_id), kept, kept["group"].to_numpy(np.int64), names)


def predictions_of_pass(store: Store, run: Run) -> pd.DataFrame:
    """``predictions`` of a gradcam, features or evaluate run: the groups of its data set, in the order of its rows.

    Raises:
        NotFoundError: the run is not done, or its files were removed.
    """
    folder, table = store.artifacts.folder(run.id), store.datasets.table(run.dataset_id)
    seen = AttentionResult(folder)
    kept = seen.scores() if seen.has_scores else EvaluationResult(folder).predictions()
    groups = grouping(table)
    return _table(table, kept, groups.index[kept["row"].to_numpy(np.int64)], groups.names)


def _table(table: ImageTable, kept: pd.DataFrame, group: NDArray[np.int64], names: Sequence[str]) -> pd.DataFrame:
    """``kept``: row, prediction, confidence and some of OPTIONAL; ``group`` (n,): index in ``names``, or -1."""
    import pandas as pd

    rows, prediction = kept["row"].to_numpy(np.int64), kept["prediction"].to_numpy(np.int64)
    found = pd.DataFrame(
        {
            "row": rows,
            "split": table.splits[rows],
            "label": table.labels[rows],
            "label_name": categorical(table.labels[rows], table.label_names),
            "prediction": prediction,
            "prediction_name": categorical(prediction, table.label_names),
            "correct": prediction == table.labels[rows],
            "group": group,
            "group_name": categorical(group, [*names, NO_GROUP]),  # UNGROUPED is -1, the last
        }
    )
    return pd.concat([found, kept[[name for name in ("confidence", *OPTIONAL) if name in kept]]], axis=1)


def categorical(index: NDArray[np.int64], names: Sequence[str]) -> pd.Categorical:
    """The name of each (n,) index. A group may be called as one that is not known: that is one category."""
    import pandas as pd

    return pd.Categorical(np.asarray(names, object)[index], list(dict.fromkeys(names)))


def paired(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The images that both models have predicted: columns of ``before``, and those of the second model as ..._after."""
    other = after.drop(columns=[name for name in OF_THE_IMAGE if name in after])
    return before.merge(other.rename(columns={name: f"{name}_after" for name in other if name != "row"}), on="row")


def wrong_first(frame: pd.DataFrame) -> pd.DataFrame:
    """The worst predictions first: wrong and sure of it, then wrong and unsure, right and unsure, right and sure."""
    sureness = frame["confidence"].where(frame["correct"], -frame["confidence"])
    order = np.lexsort((frame["row"], sureness, frame["correct"]))
    return frame.iloc[order]


def examples_of_change(before: pd.DataFrame, after: pd.DataFrame, group: int, n: int = 3) -> list[int]:
    """Rows of up to ``n`` images of a group that show best what changed: wrong before and right after.

    Those come first whose attention moved most onto the object (where there are masks), else those the first model was
    surest of. Where fewer turned right, images that both models predict alike fill up, the wrong ones first. It is a
    choice of examples, and has to be called that: the metrics are beside it.
    """
    both = paired(before, after)
    both = both[both["group"] == group]
    gain = both["confidence"].astype(float)
    after_key = f"{ATTENTION_PRECISION}_after"
    if ATTENTION_PRECISION in both and after_key in both:
        gain = (both[after_key] - both[ATTENTION_PRECISION]).fillna(-1.0) + 1e-3 * gain
    turned = (~both["correct"] & both["correct_after"]).to_numpy()
    order = np.lexsort((both["row"], -gain, both["correct"], ~turned))
    return [int(row) for row in both["row"].iloc[order[:n]]]


def typical_mistakes(before: pd.DataFrame, after: pd.DataFrame, group: int, n: int = 3) -> list[int]:
    """Rows of up to ``n`` images of a group that both models get wrong: those nearest to the median confidence after.

    Neither the most striking mistakes nor the narrowest ones.
    """
    both = paired(before, after)
    wrong = both[(both["group"] == group) & ~both["correct"] & ~both["correct_after"]]
    distance = (wrong["confidence_after"] - wrong["confidence_after"].median()).abs()
    order = np.lexsort((wrong["row"], distance))
    return [int(row) for row in wrong["row"].iloc[order[:n]]]


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
        NotFoundError: no attention run that it descends from, or of its model, covers the split.
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


def space_frame(store: Store, space: Run, of: str = "attention") -> pd.DataFrame:
    """One row an image of a finished space run, in its order; names are categoricals in the order of the data.

    ``of``: "attention" or "environment". Columns: x, y, environment_cluster, group (its name; without attributes the
    cluster), and the others of ``predictions_of_pass``.
    """
    result, table = SpaceResult(store.artifacts.folder(space.id)), store.datasets.table(space.dataset_id)
    points, rows = np.asarray(result.points(of)), result.rows
    found = predictions_of_pass(store, store.runs.fetch(space.spec["attention"])).set_index("row", drop=False).loc[rows]
    clusters = result.clusters()
    split = space.spec["split"]
    groups = pseudo_groups(table.labels[rows], clusters.index, clusters.n_per_class, table.label_names, split)
    names = categorical(groups.index, [*groups.names, UNKNOWN])
    known = found["group_name"].array if table.has_attributes else names
    about = found.drop(columns="group_name").reset_index(drop=True)
    return about.assign(x=points[:, 0], y=points[:, 1], group=known, **{CLUSTER: names})


def spaces_of(runs: Iterable[Run], models: Sequence[str]) -> list[Run | None]:
    """The newest finished space of each model, all of one split where they have one in common; None without any.

    ``runs``: those of the data set, such as ``Ancestry.runs``.
    """
    known = {run.id: run for run in runs}
    found: list[dict[str, Run]] = [{} for _ in models]
    for run in sorted(known.values(), key=lambda one: one.created_at):
        attention = known.get(str(run.spec.get("attention"))) if run.kind == "space" and run.status == "done" else None
        for model, by_split in zip(models, found, strict=True):
            if attention is not None and attention.spec.get("model") == model:
                by_split[run.spec["split"]] = run
    shared = [split for split in SPLITS if all(split in by_split for by_split in found if by_split)]
    order = (*shared, *SPLITS)
    return [next((each[split] for split in order if split in each), None) for each in found]


def compared_frames(store: Store, spaces: Sequence[Run]) -> list[pd.DataFrame]:
    """``space_frame`` of the spaces of several models, with the groups of the first.

    Estimated groups are clusters of one space: by those of the first, one sees where its images lie in the others.
    """
    import pandas as pd

    frames = [space_frame(store, space) for space in spaces]
    groups = frames[0].set_index("row")["group"].astype("category")
    kind = pd.CategoricalDtype(list(dict.fromkeys([*groups.cat.categories, UNKNOWN])))
    named = [groups.astype(object).reindex(frame["row"]).fillna(UNKNOWN).astype(kind) for frame in frames]
    return [frame.assign(group=names.array) for frame, names in zip(frames, named, strict=True)]
