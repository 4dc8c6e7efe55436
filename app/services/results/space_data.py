"""What a space run holds, joined with what else is known of its images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from app import session
from app.services.results import attention_scores
from slim_core import result_files
from slim_core.annotation.answered_space import answered_space
from slim_core.annotation.answered_space import positions_of as positions_among
from slim_core.annotation.propagation import expand
from slim_core.data.groups import Grouping, grouping, pseudo_groups
from slim_core.data.table import ImageTable
from slim_core.store.campaigns.consensus import UNSURE
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Run, Store

NOT_ASKED = -2  # in an array of answers


@dataclass(frozen=True, eq=False)
class SpaceData:
    """The n images of a space run, in its order."""

    run: str
    dataset: str
    attention: str  # the gradcam run it was made from
    maps: str | None  # that run, unless its maps were removed
    scored: str  # the run whose scores these are: the attention run, or one that knows newer shapes
    table: ImageTable
    rows: np.ndarray  # (n,) int64
    labels: np.ndarray  # (n,)
    groups: Grouping  # of the n images; without attributes estimated: the clusters
    clusters: Grouping  # class x environment cluster
    scores: pd.DataFrame  # attention_scores.frame of the n images

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def predictions(self) -> np.ndarray:
        """(n,) int64."""
        return self.scores["prediction"].to_numpy(np.int64)

    @cached_property
    def correct(self) -> np.ndarray:
        """(n,) bool."""
        agree: np.ndarray = self.predictions == self.labels
        return agree


def load(run_id: str) -> SpaceData:
    """A finished space run, with scores against what is drawn now; read once, then kept in memory.

    Raises:
        DataRefusedError: the folder of its images has moved.
    """
    store = session.store()
    attention = made_from(run_id)
    has_maps = store.artifacts.has(attention.id, result_files.MAPS)  # they may be removed, and put back
    data = _load(run_id, store.lineage.scored_last(attention).id, attention.id if has_maps else None)
    store.datasets.table(data.dataset)  # raises if the images have moved
    return data


def made_from(run_id: str) -> Run:
    """The gradcam run of a space: it never changes, and is there as long as the space."""
    return _made_from(session.store(), run_id)


@lru_cache(maxsize=64)
def _made_from(store: Store, run_id: str) -> Run:
    return store.runs.fetch(store.runs.fetch(run_id).spec["attention"])


@lru_cache(maxsize=4)
def _load(run_id: str, scored: str, maps: str | None) -> SpaceData:
    """``scored``: the run whose scores are taken, of the images and maps that the space was made from; ``maps``: the
    one whose maps are, which keeps them.
    """
    store = session.store()
    run, space = store.runs.fetch(run_id), SpaceResult(store.artifacts.folder(run_id))
    table = store.datasets.table(run.dataset_id)
    rows = space.rows
    labels = table.labels[rows]
    found = space.clusters()
    clusters = pseudo_groups(labels, found.index, found.n_per_class, table.label_names, run.spec["split"])
    return SpaceData(
        run=run_id,
        dataset=run.dataset_id,
        attention=run.spec["attention"],
        maps=maps,
        scored=scored,
        table=table,
        rows=rows,
        labels=labels,
        groups=grouping(table).take(rows) if table.has_attributes else clusters,
        clusters=clusters,
        scores=attention_scores.frame(scored).set_index("row", drop=False).loc[rows].reset_index(drop=True),
    )


def positions_of(data: SpaceData, rows: np.ndarray) -> np.ndarray:
    """(m,) position of each row (m,) of the data set; -1 where the space does not hold it."""
    return positions_among(data.rows, rows)


def answers(data: SpaceData, campaign: str | None) -> np.ndarray:
    """(n,) int8: 1 right, 0 wrong, -1 unsure, NOT_ASKED, as the campaign's answers stand now."""
    values = np.full(len(data), NOT_ASKED, np.int8)
    current = session.store().answers.current(campaign) if campaign is not None else {}
    at = positions_of(data, np.fromiter(current, np.int64, len(current)))
    values[at[at >= 0]] = np.fromiter(current.values(), np.int8, len(current))[at >= 0]
    return values


def propagated(data: SpaceData, campaign: str | None) -> np.ndarray:
    """(n,) score that the attention is right; NaN for a class without answers, and without a campaign."""
    if campaign is None:
        return np.full(len(data), np.nan)
    if session.store().campaigns.fetch(campaign).space_run_id == data.run:
        return answered_space(session.store(), campaign).scores
    points = SpaceResult(session.store().artifacts.folder(data.run)).points()
    return expand(points, data.labels, np.maximum(answers(data, campaign), UNSURE))
