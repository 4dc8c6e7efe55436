"""The default strategy: every class equally often in every environment, so that neither tells the other.

The answers decide where in an image its environment is looked for, and how far each environment is trusted. What was
measured, and what was tried and dropped, is in docs/decisions/0012 and docs/what-studies-taught.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from slim_core.curation.budgets import allocate, balance
from slim_core.curation.cells import Cell, build, capacities, choose_all, most_repeats
from slim_core.curation.data import CurationData, Subset
from slim_core.curation.keep import KeptImages, kept_or_all
from slim_core.curation.options import CurateOptions, FoundBy
from slim_core.curation.two_views import balanced_twice, found_in
from slim_core.space.environments import Clusters


def slim(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """Balance class x environment cluster, by as much as the answers trust each environment.

    Within an environment every class gets the same budget, so that the environment no longer tells the class; an
    environment in which one class is rare gets less as a whole. ``options.trust`` shifts the budget of whole
    environments towards those whose images the keep rule (S6) trusts. In a cell the images are spread over the
    environment features, whatever their score, unless ``options.trusted_first``; repeats (on by default) fill a cell
    that is smaller than its budget. Where no answer says right, every environment counts the same, and a note says so.

    Environments "both" are another way, see ``balanced_twice``.
    """
    found_by = _found_by(data, options)
    if found_by == "both":
        return balanced_twice(data, size, seed, options)
    data = in_environments_asked_for(data, seed, options)
    kept = kept_or_all(data, options)
    cells, budgets = cell_budgets(data, kept, size, options)
    if options.trusted_first:
        cells = [_trusted_first(data, kept.mask, cell, n) for cell, n in zip(cells, budgets.tolist(), strict=True)]
    choices = choose_all(cells, budgets, data.environment, seed)
    return build(
        data,
        choices,
        size,
        most=_most(options),
        kept=kept.mask,
        extra=({"keep": kept.report} if kept.report else {}) | {"clusters": data.clusters.to_json()},
        notes=[
            *_not_as_asked(found_by, options),
            *kept.notes,
            *(_single(data.clusters) if found_by == "space" else ()),
        ],
    )


def has_own_scores(data: CurationData, options: CurateOptions) -> bool:
    """Whether ``slim`` takes scores of its own (``two_views.right_scores``) in place of the propagated ones."""
    return _found_by(data, options) == "both"


def _found_by(data: CurationData, options: CurateOptions) -> FoundBy:
    """How environments are found; those of the space stay where nothing is known in which others could be."""
    return "space" if data.views is None else options.environments


def _not_as_asked(found_by: FoundBy, options: CurateOptions) -> list[str]:
    if found_by == options.environments:
        return []
    return ["The environments of the space are used, not the ones you chose: its attention pass kept no features."]


def _single(clusters: Clusters) -> list[str]:
    """What follows where a space has one environment for all its images, which then tells nothing apart."""
    if len(np.unique(clusters.index)) != 1:
        return []
    remedy = "build a space with more clusters (slim space --n-clusters 4), or of more images"
    return [f"The space has a single environment, so only the classes are balanced: {remedy}."]


def in_environments_asked_for(data: CurationData, seed: int, options: CurateOptions) -> CurationData:
    """The data in the environments that classes are balanced in once: those of the space, or found by the answers.

    e = s r + (1 - s) p, where s is the propagated score that the attention is right. What lies outside the attention
    (r) is the environment only where the attention is on the object; where it is not, the model looks at the
    environment, and the whole image (p) tells it. Clusters of e, PER_CLASS for each class: splitting an environment
    costs little, merging two loses a group. Without answers s is ``options.presumed``.
    """
    if _found_by(data, options) != "answers":
        return data
    assert data.views is not None
    s = np.nan_to_num(data.scores, nan=options.presumed)[:, None]
    surroundings = np.asarray(s * data.views.if_right + (1 - s) * data.views.if_wrong, np.float32)
    index = found_in(surroundings, data.n_classes, seed)
    clusters = Clusters(index, (int(index.max()) + 1,) * data.n_classes, surroundings)
    return replace(data, clusters=clusters, environment=surroundings, environments_are="surroundings")


def cell_budgets(
    data: CurationData, kept: KeptImages, size: int, options: CurateOptions
) -> tuple[list[Cell], np.ndarray]:
    """The cells (k), and how many images each gives (k,): all of the choice that is quick at any size."""
    cells = environment_cells(data, kept)
    return cells, _budgets(cells, size, capacities(cells, _most(options)), options.trust)


def _most(options: CurateOptions) -> int | None:
    return most_repeats(options.repeats is not False, options)


def environment_cells(data: CurationData, kept: KeptImages) -> list[Cell]:
    """One cell for each class and environment that has images, all images in it."""
    numbers = np.unique(data.clusters.index).tolist()
    found = [_cell(data, label, k, kept) for label in range(data.n_classes) for k in numbers]
    return [cell for cell in found if cell.size]


def _cell(data: CurationData, label: int, environment: int, kept: KeptImages) -> Cell:
    members = np.flatnonzero((data.labels == label) & (data.clusters.index == environment))
    note = {"environment": str(environment)} | _trust(kept, members)
    name = f"{data.called(label)}, {data.environments_are} {environment}"
    return Cell(name, label, members, len(members), note)


def _trust(kept: KeptImages, members: np.ndarray) -> dict[str, Any]:
    """How many of a cell's images are trusted; nothing where that is not known."""
    n_trusted = int(kept.trusted[members].sum())
    return {"kept": n_trusted, "trust": round(n_trusted / max(len(members), 1), 4)} if kept.report else {}


def _budgets(cells: list[Cell], size: int, most: np.ndarray, trust: float) -> np.ndarray:
    """(k,) the same from every class of an environment, more of those that are trusted; what is missing from all."""
    labels = np.array([cell.label for cell in cells], np.int64)
    index = np.unique([int(cell.note["environment"]) for cell in cells], return_inverse=True)[1]
    shares = np.array([cell.note.get("trust", 1.0) for cell in cells])
    trusted = np.bincount(index, shares) / np.bincount(index)
    budgets = balance(labels, index, most, size, 1 + trust * (2 * trusted - 1))
    missing = allocate(np.ones(len(cells)), size - int(budgets.sum()), most - budgets)
    return np.asarray(budgets + missing)


def _trusted_first(data: CurationData, kept: np.ndarray, cell: Cell, budget: int) -> Cell:
    """The cell without the images that are not needed: kept ones are chosen before others, these by falling score."""
    if budget >= len(cell.members):
        return cell
    trusted = cell.members[kept[cell.members]]
    others = cell.members[~kept[cell.members]]
    others = others[np.argsort(-np.nan_to_num(data.scores[others]), kind="stable")]
    pool = trusted if budget <= len(trusted) else np.concatenate([trusted, others[: budget - len(trusted)]])
    return Cell(cell.name, cell.label, pool, cell.size, cell.note)
