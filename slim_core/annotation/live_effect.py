"""What the answers of a campaign do now: the scores of every image, and the subset that would be curated from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from slim_core.annotation.curation_data import curation_data, views_of
from slim_core.annotation.propagation import LiveCampaign, live_campaign
from slim_core.curation import (
    CurateOptions,
    CurationData,
    Subset,
    curate,
    default_subset_size,
    needs_scores,
    trusted,
)
from slim_core.curation.cells import alone_in_environment
from slim_core.curation.data import UNANSWERED
from slim_core.curation.keep import kept_or_all
from slim_core.curation.options import SLIM, FoundBy
from slim_core.curation.slim import cell_budgets
from slim_core.space.environments import ClusterConfig
from slim_core.store.results import AttentionResult, SpaceResult

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
    distinct: int  # of these, without repeats
    is_alone: bool  # no other class occurs in its environment


@dataclass(frozen=True)
class SecondBalance:
    """The second of two balances: in what the attention is on where it is taken to be wrong."""

    clusters: int  # in which the classes are balanced; 0: they are not
    n_wrong: int  # images whose attention is taken to be wrong
    surroundings: int  # clusters of the first balance; 1: the classes are not balanced in these
    notes: str  # sentences of the curation about what it does not balance, or cannot give; "": none


@dataclass(frozen=True, eq=False)
class Effect:
    """The state after one answer."""

    seq: int  # of the newest answer
    points: np.ndarray  # (n, 2)
    scores: np.ndarray  # (n,) of the keep rule, or of the second balance; NaN in a class without answers
    answers: np.ndarray  # (n,) 1, 0, -1 unsure or not asked
    trusted: float  # share of the images that the keep rule trusts, or whose attention is taken to be right
    size: int  # images of the subset
    cells: tuple[CellNow, ...]
    rows: tuple[int, ...]  # of the data set: some that would be chosen, evenly spread; empty for a large split
    second_balance: SecondBalance | None = (
        None  # None: classes are balanced once, or the split is too large to say here
    )


def effect(store: Store, campaign_id: str, size: int | None = None, environments: FoundBy = "space") -> Effect:
    """The effect of the answers as they stand on a subset of ``size``, with the default strategy and seed.

    ``environments``: as of CurateOptions, of which the others are the default ones too. Of a large split the cells are
    always those of the space.

    Raises:
        NotFoundError, AnswersRefusedError: as ``live_campaign``.
    """
    live = live_campaign(store, campaign_id)
    n, is_small = len(live.rows), len(live.rows) <= IMAGES_UP_TO
    size = default_subset_size(n) if size is None else size
    options = CurateOptions(environments=environments if is_small else "space")
    data = _unanswered(store, live.space, options.environments)
    seq, data = _answered(store, live, data, options)
    if not is_small:
        return _once(seq, live, data, size, ())
    subset = curate(data, strategy=SLIM, size=max(size, data.n_classes), seed=0, environments=environments)
    rows, twice = _some(live.rows[subset.positions]), _twice(subset)
    if twice is None:
        return _once(seq, live, data, size, rows)
    right = 1 - twice.n_wrong / n
    return Effect(seq, live.points, subset.scores, data.answers, right, size, _cells_of(subset), rows, twice)


def _answered(store: Store, live: LiveCampaign, data: CurationData, options: CurateOptions) -> tuple[int, CurationData]:
    """(number of the newest answer, the data with the answers, and with the scores that they give where these count)"""
    if needs_scores(data, SLIM, options):
        seq, scores, answers = live.refresh(store)
        return seq, replace(data, scores=scores, answers=answers)
    seq, answers = live.answered(store)
    return seq, replace(data, answers=answers)


def _once(seq: int, live: LiveCampaign, data: CurationData, size: int, rows: tuple[int, ...]) -> Effect:
    """Where the classes are balanced once: what the keep rule trusts, and what each cell gives."""
    passing = float(trusted(data.scores, data.labels).mean())
    return Effect(seq, live.points, data.scores, data.answers, passing, size, _cells(data, size), rows)


@lru_cache(maxsize=4)
def _unanswered(store: Store, space: str, environments: FoundBy) -> CurationData:
    """What curation reads of a space, before there are answers; a finished run never changes."""
    run, found = store.runs.fetch(space), SpaceResult(store.artifacts.folder(space))
    n, views = len(found.rows), None
    if environments != "space":
        seen = AttentionResult(store.artifacts.folder(run.spec["attention"]))
        views = views_of(found, seen, environments, ClusterConfig.of(run.spec))
    answers = np.full(n, UNANSWERED, np.int8)
    return curation_data(store.datasets.table(run.dataset_id), found, np.full(n, np.nan), answers, views=views)


def _cells(data: CurationData, size: int) -> tuple[CellNow, ...]:
    options = CurateOptions()
    cells, budgets = cell_budgets(data, kept_or_all(data, options), size, options)
    alone = alone_in_environment([cell.note for cell in cells])
    return tuple(
        CellNow(cell.name, cell.size, cell.note.get("kept"), budget, min(budget, cell.size), is_alone)
        for cell, budget, is_alone in zip(cells, budgets.tolist(), alone, strict=True)
    )


def _twice(subset: Subset) -> SecondBalance | None:
    found = subset.report["clusters"]
    if "attended" not in found:
        return None
    notes = " ".join(subset.report["notes"])
    return SecondBalance(found["attended"], found["images_wrong"], found["surroundings"], notes)


def _cells_of(subset: Subset) -> tuple[CellNow, ...]:
    """Those of the first balance, each with what the second leaves of it: some images more than once, others not."""
    cells = subset.report["cells"]
    return tuple(
        CellNow(cell["cell"], cell["size"], None, cell["images"], cell["unique"], is_alone)
        for cell, is_alone in zip(cells, alone_in_environment(cells), strict=True)
    )


def _some(rows: np.ndarray) -> tuple[int, ...]:
    shown = np.unique(np.linspace(0, len(rows) - 1, min(N_IMAGES, len(rows))).astype(int))
    return tuple(int(row) for row in rows[shown])
