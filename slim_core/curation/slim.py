"""The default strategy: every class equally often in every environment, so that neither tells the other.

The number of clusters comes from the data (``space.environment_clusters``), the answers, where there are any, decide
how far each environment is trusted. What was measured, and what was tried and dropped, is in docs/decisions/0003.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from slim_core.curation.budgets import allocate, balance
from slim_core.curation.cells import Cell, build, capacities, choose_all
from slim_core.curation.data import CurationData, Subset
from slim_core.curation.keep import Kept, kept_or_all
from slim_core.curation.options import CurateOptions

NAME = "slim"


def slim(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """Balance class x environment cluster, by as much as the answers trust each environment.

    Within an environment every class gets the same budget, so that the environment no longer tells the class; an
    environment in which one class is rare gets less as a whole. ``options.trust`` shifts the budget of whole
    environments towards those whose images the keep rule (S6) trusts. In a cell the images are spread over the
    environment features, whatever their score, unless ``options.trusted_first``; repeats (on by default) fill a cell
    that is smaller than its budget. Where no answer says right, every environment counts the same, and a note says so.
    """
    kept = kept_or_all(data, options)
    cells, budgets = cell_budgets(data, kept, size, options)
    if options.trusted_first:
        cells = [_trusted_first(data, kept.mask, cell, n) for cell, n in zip(cells, budgets.tolist(), strict=True)]
    choices = choose_all(cells, budgets, data.environment, seed)
    return build(
        data,
        choices,
        strategy=NAME,
        size=size,
        seed=seed,
        options=options,
        kept=kept.mask,
        extra=({"keep": kept.report} if kept.report else {}) | {"clusters": data.clusters.to_json()},
        notes=kept.notes,
    )


def cell_budgets(data: CurationData, kept: Kept, size: int, options: CurateOptions) -> tuple[list[Cell], np.ndarray]:
    """The cells (k), and how many images each gives (k,): all of the choice that is quick at any size."""
    cells = environment_cells(data, kept)
    return cells, _budgets(cells, size, capacities(cells, options.repeats is not False, options), options.trust)


def environment_cells(data: CurationData, kept: Kept) -> list[Cell]:
    """One cell for each class and environment cluster that has images, all images in it."""
    cells = []
    for label, n_clusters in enumerate(data.clusters.n_per_class):
        for k in range(n_clusters):
            members = np.flatnonzero((data.labels == label) & (data.clusters.index == k))
            if len(members):
                note = {"environment": k} | _trust(kept, members)
                cells.append(Cell(f"{data.called(label)}, environment {k}", label, members, len(members), note))
    return cells


def _trust(kept: Kept, members: np.ndarray) -> dict[str, Any]:
    """How many of a cell's images are trusted; nothing where that is not known."""
    n_kept = int(kept.mask[members].sum())
    return {"kept": n_kept, "trust": round(n_kept / len(members), 4)} if kept.report else {}


def _budgets(cells: list[Cell], size: int, most: np.ndarray, trust: float) -> np.ndarray:
    """Balanced as far as the cells can give it; what is then still missing comes evenly from all of them."""
    labels = np.array([cell.label for cell in cells])
    environments = np.array([cell.note["environment"] for cell in cells])
    shares = np.array([cell.note.get("trust", 1.0) for cell in cells])
    n_environments = int(environments.max()) + 1
    trusted = np.bincount(environments, shares, n_environments) / np.maximum(
        np.bincount(environments, minlength=n_environments), 1
    )
    budgets = balance(labels, environments, most, size, 1 + trust * (2 * trusted - 1))
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
