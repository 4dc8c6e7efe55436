"""The default strategy: every class in every environment it is seen in, equally often, trusted images first."""

from __future__ import annotations

import numpy as np

from slim_core.curation.budgets import allocate
from slim_core.curation.cells import Cell, Choice, build, capacities, cell_seed, choose
from slim_core.curation.data import CurateOptions, CurationData, Subset
from slim_core.curation.keep import keep, require_answers

NAME = "slim"


def slim(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """Balance class x environment cluster; the answers decide which images and which clusters to trust.

    Each class gets the same share of ``size``, and within it each environment cluster, so that the label no longer
    tells the environment (clusters over all classes mean the same environment in each). The shares are shifted by
    ``options.trust`` towards clusters whose images the answers trust. In a cell the kept images are chosen first,
    spread over the environment features; then the others by falling score; repeats (on by default) fill what is still
    missing.

    Raises:
        AnswersRefusedError: no usable answers, see ``require_answers``.
    """
    require_answers(data, NAME)
    kept = keep(data.scores, data.labels, options)
    cells = environment_cells(data, kept.mask)
    repeats = options.repeats is not False
    budgets = _budgets(cells, size, capacities(cells, repeats, options), data.n_classes, options.trust)
    choices = [
        _choose(data, kept.mask, cell, int(budget), cell_seed(seed, i))
        for i, (cell, budget) in enumerate(zip(cells, budgets, strict=True))
    ]
    return build(
        data,
        choices,
        strategy=NAME,
        size=size,
        seed=seed,
        options=options,
        kept=kept.mask,
        extra={"keep": kept.report, "clusters": data.clusters.to_json()},
        notes=kept.notes,
    )


def environment_cells(data: CurationData, kept: np.ndarray) -> list[Cell]:
    """One cell for each class and environment cluster that has images, all images in it."""
    cells = []
    for label, n_clusters in enumerate(data.clusters.n_per_class):
        for k in range(n_clusters):
            members = np.flatnonzero((data.labels == label) & (data.clusters.index == k))
            if len(members) == 0:
                continue
            scores = data.scores[members]
            trust = None if np.isnan(scores).any() else round(float(scores.mean()), 4)
            note = {"kept": int(kept[members].sum()), "trust": trust}
            cells.append(Cell(f"class {label}, environment {k}", label, members, len(members), note))
    return cells


def _budgets(cells: list[Cell], size: int, most: np.ndarray, n_classes: int, trust: float) -> np.ndarray:
    """Equal over classes, then over the clusters of a class by 1 - trust .. 1 + trust."""
    labels = np.array([cell.label for cell in cells])
    weights = np.array([1 + trust * (2 * (0.5 if c.note["trust"] is None else c.note["trust"]) - 1) for c in cells])
    per_class = np.bincount(labels, weights=most, minlength=n_classes).astype(np.int64)
    class_budgets = allocate((per_class > 0).astype(float), size, per_class)
    budgets = np.zeros(len(cells), np.int64)
    for label in range(n_classes):
        own = labels == label
        budgets[own] = allocate(weights[own], int(class_budgets[label]), most[own])
    return budgets


def _choose(data: CurationData, kept: np.ndarray, cell: Cell, budget: int, seed: int) -> Choice:
    trusted = cell.members[kept[cell.members]]
    if 0 < budget < len(cell.members):
        others = cell.members[~kept[cell.members]]
        others = others[np.argsort(-np.nan_to_num(data.scores[others]), kind="stable")]
        pool = trusted if budget <= len(trusted) else np.concatenate([trusted, others[: budget - len(trusted)]])
        cell = Cell(cell.name, cell.label, pool, cell.size, cell.note)
    return choose(cell, budget, data.environment, seed)
