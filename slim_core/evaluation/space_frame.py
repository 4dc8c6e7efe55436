"""A space run as one table: where each image lies, and what is known of it; and the spaces of two models together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from slim_core.data.groups import NO_GROUP, pseudo_groups
from slim_core.evaluation.predictions import categorical, predictions_of_pass
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.store import Run, Store

CLUSTER = "environment_cluster"
SPLITS = ("train", "val", "test")  # which space of a model is shown, where it has several
UNKNOWN = NO_GROUP


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
