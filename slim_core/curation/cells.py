"""S8 and S9: a subset is so many images from each cell, a set of images that share a class and an environment.

Budgets are whole numbers that add up exactly, capped, with what is left over passed on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slim_core.curation.data import CurateOptions, CurationData, Subset
from slim_core.space.clustering import pick_diverse

DIGITS = 9  # of a remainder: in further ones, equal remainders differ by how they were rounded
N_NEAREST = 3  # one random pick among this many images nearest to a centre (reference, S9)


def largest_remainder(weights: np.ndarray, total: int) -> np.ndarray:
    """Non-negative integers (k,) in proportion to weights (k,) that sum to total; all-zero weights count as equal.

    Each is its share rounded down, and the largest remainders get one more (ties: the earlier one).
    """
    weights = np.asarray(weights, np.float64)
    if len(weights) == 0:
        return np.empty(0, np.int64)
    if weights.sum() <= 0:
        weights = np.ones(len(weights))
    exact = total * weights / weights.sum()
    floors: np.ndarray = np.floor(exact + 10.0**-DIGITS).astype(np.int64)
    order = np.argsort(-np.round(exact - floors, DIGITS), kind="stable")
    floors[order[: total - floors.sum()]] += 1
    return floors


def allocate(weights: np.ndarray, total: int, capacities: np.ndarray) -> np.ndarray:
    """``largest_remainder``, no entry above its capacity (k,): what a full cell cannot take goes to the others.

    Sums to min(total, sum of capacities).
    """
    weights = np.asarray(weights, np.float64)
    capacities = np.asarray(capacities, np.int64)
    total = min(int(total), int(capacities.sum()))
    budget = np.zeros(len(weights), np.int64)
    open_ = capacities > 0
    while (left := total - int(budget.sum())) > 0:
        share = np.zeros(len(weights), np.int64)
        share[open_] = largest_remainder(weights[open_], left)
        budget = np.minimum(budget + share, capacities)
        open_ = budget < capacities
    return budget


def spread(points: np.ndarray) -> float:
    """Median distance of points (n, d) to their mean: the weight of a cluster in S8, whatever its size."""
    if len(points) == 0:
        return 0.0
    return float(np.median(np.linalg.norm(points - points.mean(axis=0), axis=1)))


def spread_weights(points: np.ndarray, index: np.ndarray, n_clusters: int) -> np.ndarray:
    """Spread of each cluster, normalised to sum 1 (k,); equal over the clusters that have points if none has spread.

    At least one point.
    """
    weights = np.array([spread(points[index == k]) for k in range(n_clusters)])
    if not weights.any():
        weights = np.minimum(np.bincount(index, minlength=n_clusters), 1.0)
    return np.asarray(weights / weights.sum())


def balance(
    labels: np.ndarray, environments: np.ndarray, capacities: np.ndarray, total: int, weights: np.ndarray
) -> np.ndarray:
    """At most ``total`` images over cells (k,), the same number from every class that an environment holds.

    An environment's budget is limited by its smallest cell, since a class it has too little of would give the others
    away. An environment that holds a single class gets nothing, unless that class is found nowhere else.

    Args:
        labels: (k,) class of each cell; environments: (k,) its environment in 0..E-1.
        capacities: (k,) images each cell can give.
        weights: (E,) of the environments.
    """
    n_environments = len(weights)
    n_present = np.bincount(environments, minlength=n_environments)
    shared = np.isin(labels, labels[n_present[environments] > 1])  # classes that some environment shares
    usable = (n_present[environments] > 1) | ~shared
    smallest = np.full(n_environments, np.iinfo(np.int64).max)
    np.minimum.at(smallest, environments, capacities)
    n_usable = np.bincount(environments[usable], minlength=n_environments)
    per_environment = allocate(np.asarray(weights) * n_usable, total, smallest * n_usable)
    budget = np.zeros(len(labels), np.int64)
    for environment in np.flatnonzero(n_usable):
        own = np.flatnonzero(usable & (environments == environment))
        so_far = np.bincount(labels, budget)[labels[own]]
        own = own[np.argsort(so_far, kind="stable")]  # the odd image goes to the class that has fewest
        budget[own] = allocate(np.ones(len(own)), int(per_environment[environment]), capacities[own])
    return budget


@dataclass(frozen=True, eq=False)
class Cell:
    """Images to choose from, best first where that matters."""

    name: str
    label: int | None  # None where the cell mixes classes
    members: np.ndarray  # positions
    size: int  # images of the cell before any were left out
    note: dict[str, Any]  # further columns of its report


@dataclass(frozen=True, eq=False)
class Choice:
    """How often each chosen image of a cell is used."""

    cell: Cell
    budget: int
    positions: np.ndarray
    counts: np.ndarray


def alone_in_environment(cells: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Whether no other class occurs in the environment of each cell, by its note or its row of a subset's report.

    Strategies without environments have no such cell.
    """
    found_in = [cell.get("environment") for cell in cells]
    n_classes = Counter(found_in)
    return [one is not None and n_classes[one] == 1 for one in found_in]


def choose(cell: Cell, budget: int, points: np.ndarray, seed: int) -> Choice:
    """S9: ``budget`` images of a cell, spread over points (N, d); above its size each is repeated as evenly as can be.

    The picks are distinct and lie in the cell.
    """
    n = len(cell.members)
    rounds, rest = divmod(budget, n) if n else (0, 0)
    counts = np.full(n, rounds, np.int64)
    counts[pick_diverse(points[cell.members], rest, N_NEAREST, seed)] += 1
    chosen = counts > 0
    return Choice(cell, budget, cell.members[chosen], counts[chosen])


def choose_all(cells: Sequence[Cell], budgets: np.ndarray, points: np.ndarray, seed: int) -> list[Choice]:
    """S9 in every cell, each with a seed of its own."""
    pairs = zip(cells, budgets.tolist(), strict=True)
    return [choose(cell, budget, points, cell_seed(seed, i)) for i, (cell, budget) in enumerate(pairs)]


def cell_seed(seed: int, position: int) -> int:
    """A seed of its own for each cell, so that one cell's budget does not move another's picks."""
    return int(np.random.SeedSequence([seed, position]).generate_state(1)[0])


def most_repeats(repeats: bool, options: CurateOptions) -> int | None:
    """How often an image is used at most; None: once, as repeats are off."""
    return options.max_repeats if repeats else None


def capacities(cells: Sequence[Cell], most: int | None) -> np.ndarray:
    """How many images each cell can give at most (k,); ``most``: of ``most_repeats``."""
    return np.array([len(cell.members) for cell in cells], np.int64) * (most or 1)


def build(
    data: CurationData,
    choices: Sequence[Choice],
    size: int,
    *,
    most: int | None,
    kept: np.ndarray | None = None,
    extra: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> Subset:
    """The subset the choices make, with its report.

    ``size``: the images that were asked for; ``most``: how often each could be used, of ``most_repeats``.
    """
    positions = np.concatenate([np.empty(0, np.int64), *(c.positions for c in choices)])
    counts = np.concatenate([np.empty(0, np.int64), *(c.counts for c in choices)])
    names = np.array([c.cell.name for c in choices for _ in c.positions], dtype=str)
    order = np.argsort(positions, kind="stable")
    positions, counts, names = positions[order], counts[order], names[order]
    report = _report(data, positions, counts, choices, kept)
    if report["images"] < size:
        all_offered = kept is None or sum(len(choice.cell.members) for choice in choices) == len(data.labels)
        notes = [*notes, _shortfall(report["images"], size, most, all_offered)]
    report |= (extra or {}) | {"notes": [*notes, *_empty_classes(report, data, choices)]}
    return Subset(positions, counts, names, data.scores, report)


def _report(
    data: CurationData,
    positions: np.ndarray,
    counts: np.ndarray,
    choices: Sequence[Choice],
    kept: np.ndarray | None,
) -> dict[str, Any]:
    total, unique = int(counts.sum()), len(positions)
    return {
        "images": total,
        "unique": unique,
        "repeated": total - unique,
        "cells": [_cell_report(choice) for choice in choices],
        "classes": [
            {
                "class": label,
                "size": int((data.labels == label).sum()),
                "kept": int((data.labels == label).sum() if kept is None else (kept & (data.labels == label)).sum()),
                "images": int(counts[data.labels[positions] == label].sum()),
                "unique": int((data.labels[positions] == label).sum()),
            }
            for label in range(data.n_classes)
        ],
    }


def _cell_report(choice: Choice) -> dict[str, Any]:
    total, unique = int(choice.counts.sum()), len(choice.positions)
    about = {
        "cell": choice.cell.name,
        "class": choice.cell.label,
        "size": choice.cell.size,
        "kept": len(choice.cell.members),
        "budget": int(choice.budget),
        "images": total,
        "unique": unique,
        "repeated": total - unique,
    }
    return about | choice.cell.note


def _name(label: int, class_names: Sequence[str]) -> str:
    return class_names[label] if class_names else str(label)


def _shortfall(given: int, size: int, most: int | None, all_offered: bool) -> str:
    """Why fewer images than asked for, and what to do; ``all_offered``: the keep rule took none away."""
    if most is None:
        remedy = "allow repeats"
    else:
        remedy = (
            f"an image is used at most {most:,} time{'' if most == 1 else 's'}, so raise Most repeats (max_repeats)"
        )
    last = "ask for fewer" if all_offered else "keep more images, or ask for fewer"
    return f"{size:,} images were asked for, but only {given:,} can be given: {remedy}, {'or ' * all_offered}{last}."


def _empty_classes(report: dict[str, Any], data: CurationData, choices: Sequence[Choice]) -> list[str]:
    offered = {choice.cell.label for choice in choices}
    return [
        f"Class {_name(c['class'], data.class_names)} has no image in the subset: {_remedy(c['class'], offered)}."
        for c in report["classes"]
        if c["images"] == 0 and c["size"] > 0
    ]


def _remedy(label: int, offered: set[int | None]) -> str:
    """Of a class that the subset lacks; ``offered``: the labels of the cells, None where one mixes classes."""
    if offered & {label, None}:
        return "ask for more images, or choose another strategy"
    return "the attribute of none of its images is known; complete the attribute column, or choose another strategy"
