"""What a space run holds, joined with what else is known of its images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from app import session
from app.components import attention_scores
from slim_core.datasets.table import ImageTable
from slim_core.groups import Grouping, grouping, pseudo_groups
from slim_core.propagation import expand
from slim_core.steps.space import load_clusters

NOT_ASKED = -2  # in an array of answers


@dataclass(frozen=True, eq=False)
class SpaceData:
    """The n images of a space run, in its order."""

    run: str
    dataset: str
    attention: str  # the gradcam or features run it was made from
    has_maps: bool  # the attention run kept maps
    table: ImageTable
    rows: np.ndarray  # (n,) int64
    labels: np.ndarray  # (n,)
    groups: Grouping  # of the n images
    clusters: Grouping  # class x environment cluster
    scores: pd.DataFrame  # attention_scores.frame of the n images

    def __len__(self) -> int:
        return len(self.rows)


@lru_cache(maxsize=4)
def load(run_id: str) -> SpaceData:
    """Read a finished space run."""
    store = session.store()
    run, folder = store.runs.fetch(run_id), store.artifacts.folder(run_id)
    table = store.datasets.table(run.dataset_id)
    rows = np.load(folder / "rows.npy", allow_pickle=False).astype(np.int64)
    labels = table.labels[rows]
    clusters = load_clusters(folder)
    attention = run.spec["attention"]
    return SpaceData(
        run=run_id,
        dataset=run.dataset_id,
        attention=attention,
        has_maps=store.artifacts.has(attention, "maps.npy"),
        table=table,
        rows=rows,
        labels=labels,
        groups=grouping(table).take(rows),
        clusters=pseudo_groups(labels, clusters.index, clusters.n_per_class, table.label_names),
        scores=attention_scores.frame(attention).set_index("row", drop=False).loc[rows].reset_index(drop=True),
    )


def answers(data: SpaceData, campaign: str | None) -> np.ndarray:
    """(n,) int8: 1 right, 0 wrong, -1 unsure, NOT_ASKED, as the campaign's answers stand now."""
    values = np.full(len(data), NOT_ASKED, np.int8)
    if campaign is not None:
        current = session.store().campaigns.current(campaign)
        position = {int(row): at for at, row in enumerate(data.rows)}
        for row, value in current.items():
            if row in position:
                values[position[row]] = value
    return values


def propagated(data: SpaceData, campaign: str | None) -> np.ndarray:
    """(n,) score that the attention is right; NaN for a class without answers, and without a campaign."""
    if campaign is None:
        return np.full(len(data), np.nan)
    return _propagated(data.run, campaign, session.store().campaigns.last_seq(campaign))


@lru_cache(maxsize=16)
def _propagated(run_id: str, campaign: str, seq: int) -> np.ndarray:  # noqa: ARG001  # a new answer is a new entry
    data = load(run_id)
    points = np.load(session.store().artifacts.folder(run_id) / "attention_space.npy", allow_pickle=False)
    return expand(points, data.labels, np.maximum(answers(data, campaign), -1))
