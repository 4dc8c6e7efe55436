"""What the answers of a campaign do now: the scores of every image, and how the subset from them is balanced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from slim_core.annotation.answered_space import answered_space, curation_data, views_of
from slim_core.curation import CurateOptions, CurationData, default_subset_size, needs_scores, trusted
from slim_core.curation.cells import alone_in_environment
from slim_core.curation.data import SLIM, UNANSWERED, FoundBy
from slim_core.curation.slim import cell_budgets, has_own_scores, in_environments_asked_for, kept_or_all
from slim_core.curation.two_views import BalancedTwice, balance_twice
from slim_core.space.environments import ClusterConfig
from slim_core.store.results import AttentionResult, SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Store

SEED = 0  # of the clusters in which the classes are balanced: the default one of a curation


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
    """The second of two balances: in what the attention is on where it is assumed wrong."""

    clusters: int  # in which the classes are balanced; 0: they are not
    n_wrong: int  # images whose attention is assumed wrong
    surroundings: int  # clusters of the first balance; 1: the classes are not balanced in these
    notes: str  # sentences of the curation about what it does not balance, or cannot give; "": none


@dataclass(frozen=True, eq=False)
class Effect:
    """The state after one answer."""

    points: np.ndarray  # (n, 2)
    scores: np.ndarray  # (n,) of the keep rule, or of the second balance; NaN in a class without answers
    answers: np.ndarray  # (n,) 1, 0, -1 unsure or not asked
    trusted: float  # share of the images that the keep rule trusts, or whose attention is taken to be right
    size: int  # images of the subset
    cells: tuple[CellNow, ...]
    second_balance: SecondBalance | None = None  # None: classes are balanced once


def effect(store: Store, campaign_id: str, size: int | None = None, environments: FoundBy = "space") -> Effect:
    """The effect of the answers as they stand on a subset of ``size``, with the default strategy and seed.

    The very images are not chosen: that takes longer than an answer. ``environments``: as of CurateOptions, of which
    the others are the default ones too.

    Raises:
        NotFoundError, AnswersRefusedError: as ``answered_space``.
    """
    space = answered_space(store, campaign_id)
    options = CurateOptions(environments=environments)
    data = replace(_unanswered(store, space.run, environments), answers=space.answers)
    if needs_scores(data, SLIM, options):
        data = replace(data, scores=space.scores)
    size = max(default_subset_size(len(data.labels)) if size is None else size, data.n_classes)
    of = _twice if has_own_scores(data, options) else _once
    return of(space.points, data, size, options)


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


def _once(points: np.ndarray, data: CurationData, size: int, options: CurateOptions) -> Effect:
    """Where the classes are balanced once: what the keep rule trusts, and what each cell gives."""
    found = in_environments_asked_for(data, SEED, options)
    cells, budgets = cell_budgets(found, kept_or_all(found, options), size, options)
    alone = alone_in_environment([cell.note for cell in cells])
    shown = tuple(
        CellNow(cell.name, cell.size, cell.note.get("kept"), budget, min(budget, cell.size), is_alone)
        for cell, budget, is_alone in zip(cells, budgets.tolist(), alone, strict=True)
    )
    return Effect(points, data.scores, data.answers, float(trusted(data.scores, data.labels).mean()), size, shown)


def _twice(points: np.ndarray, data: CurationData, size: int, options: CurateOptions) -> Effect:
    found = balance_twice(data, size, SEED, options)
    n_wrong = int(found.wrong.sum())
    second = SecondBalance(found.attended, n_wrong, found.surroundings, " ".join(found.notes))
    scores = found.scores if (data.answers != UNANSWERED).any() else data.scores
    right = 1 - n_wrong / max(len(data.labels), 1)
    return Effect(points, scores, data.answers, right, size, cells_of(data, found), second)


def cells_of(data: CurationData, found: BalancedTwice) -> tuple[CellNow, ...]:
    """Those of the first balance, each with what the second leaves of it: some images more than once, others not."""
    cells = found.cells(data)
    alone = alone_in_environment([cell.note for cell, _ in cells])
    return tuple(
        CellNow(
            cell.name,
            cell.size,
            None,
            sum(part.budget for part in parts),
            sum(min(part.budget, len(part.members)) for part in parts),
            is_alone,
        )
        for (cell, parts), is_alone in zip(cells, alone, strict=True)
    )
