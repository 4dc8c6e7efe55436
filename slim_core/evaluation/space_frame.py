"""A space run as one table: where each image lies, and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slim_core.data.groups import pseudo_groups
from slim_core.evaluation.predictions import predictions_of_pass
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.store import Run, Store

CLUSTER = "environment_cluster"


def space_frame(store: Store, space: Run, of: str = "attention") -> pd.DataFrame:
    """One row an image of a finished space run, in its order.

    ``of``: "attention" or "environment". Columns: x, y, environment_cluster, group (its name; without attributes the
    cluster), and the others of ``predictions_of_pass``.
    """
    result, table = SpaceResult(store.artifacts.folder(space.id)), store.datasets.table(space.dataset_id)
    points, rows = np.asarray(result.points(of)), result.rows
    found = predictions_of_pass(store, store.runs.fetch(space.spec["attention"])).set_index("row", drop=False).loc[rows]
    clusters = result.clusters()
    groups = pseudo_groups(table.labels[rows], clusters.index, clusters.n_per_class, table.label_names)
    names = np.asarray([*groups.names, "unknown"], object)[groups.index]
    known = found["group_name"].to_numpy() if table.has_attributes else names
    about = found.drop(columns="group_name").reset_index(drop=True)
    return about.assign(x=points[:, 0], y=points[:, 1], group=known, **{CLUSTER: names})
