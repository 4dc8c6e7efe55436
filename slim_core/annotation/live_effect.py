"""What the answers of a campaign do now: the scores of every image, and the subset that would be curated from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from slim_core.annotation.curation_data import curation_data
from slim_core.annotation.propagation import live_campaign
from slim_core.curation import CurateOptions, CurationData, curate, default_subset_size, trusted
from slim_core.curation.cells import alone_in_environment
from slim_core.curation.data import UNANSWERED
from slim_core.curation.keep import kept_or_all
from slim_core.curation.options import SLIM
from slim_core.curation.slim import cell_budgets
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Store

IMAGES_UP_TO = 5_000  # of a split: above it, choosing the very images takes longer than an answer
N_IMAGES = 24  # shown of those that would be chosen


@dataclass(frozen=True)
class CellNow:
    """A class in an environment, and what it would give to the subset."""

    name: str
    size: int  # images
    kept: int | None  # of them, trusted by their score; None while no answer says right
    budget: int  # images of the subset, repeats counted
    is_alone: bool  # no other class occurs in its environment


@dataclass(frozen=True, eq=False)
class Effect:
    """The state after one answer."""

    seq: int  # of the newest answer
    points: np.ndarray  # (n, 2)
    scores: np.ndarray  # (n,) NaN in a class without answers
    answers: np.ndarray  # (n,) 1, 0, -1 unsure or not asked
    trusted: np.ndarray  # (n,) bool, see slim_core.curation.trusted
    size: int  # images of the subset
    cells: tuple[CellNow, ...]
    rows: tuple[int, ...]  # of the data set: some that would be chosen, evenly spread; empty for a large split


def effect(store: Store, campaign_id: str, size: int | None = None) -> Effect:
    """The effect of the answers as they stand on a subset of ``size``, with the default strategy, options and seed.

    Raises:
        NotFoundError, AnswersRefusedError: as ``live_campaign``.
    """
    live = live_campaign(store, campaign_id)
    seq, scores, answers = live.refresh(store)
    size = default_subset_size(len(scores)) if size is None else size
    said = store.environment_answers.said(campaign_id)
    data = replace(_unanswered(store, live.space), scores=scores, answers=answers, said=said)
    rows = _chosen(data, live.rows, size) if len(scores) <= IMAGES_UP_TO else ()
    passing = trusted(scores, data.labels)
    return Effect(seq, live.points, scores, answers, passing, size, _cells(data, size), rows)


@lru_cache(maxsize=4)
def _unanswered(store: Store, space: str) -> CurationData:
    """What curation reads of a space, before there are answers; a finished run never changes."""
    table, found = store.datasets.table(store.runs.fetch(space).dataset_id), SpaceResult(store.artifacts.folder(space))
    n = len(found.rows)
    return curation_data(table, found, np.full(n, np.nan), np.full(n, UNANSWERED, np.int8))


def _cells(data: CurationData, size: int) -> tuple[CellNow, ...]:
    options = CurateOptions()
    cells, budgets = cell_budgets(data, kept_or_all(data, options), size, options)
    alone = alone_in_environment([cell.note for cell in cells])
    return tuple(
        CellNow(cell.name, cell.size, cell.note.get("kept"), budget, is_alone)
        for cell, budget, is_alone in zip(cells, budgets.tolist(), alone, strict=True)
    )


def _chosen(data: CurationData, rows: np.ndarray, size: int) -> tuple[int, ...]:
    positions = curate(data, strategy=SLIM, size=max(size, data.n_classes), seed=0).positions
    shown = np.unique(np.linspace(0, len(positions) - 1, min(N_IMAGES, len(positions))).astype(int))
    return tuple(int(row) for row in rows[positions[shown]])
