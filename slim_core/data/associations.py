"""How far an attribute gives the class away, before any training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slim_core.data.table import UNKNOWN, ImageTable


@dataclass(frozen=True)
class Cell:
    """A class among the images with one attribute value."""

    label: int
    attribute: int
    share: float  # of the images with the value
    among_all: float  # share of the class in all images


@dataclass(frozen=True)
class Association:
    """Label and attribute of the images of one split that have both."""

    n: int  # images
    given_away: float  # share of images whose class is the most frequent one of their attribute value
    by_chance: float  # share of the most frequent class: what knowing nothing gives
    cramers_v: float  # 0: independent, 1: one determines the other; corrected for bias
    strongest: Cell  # the class and attribute value that occur together most beyond what chance would give


def association(table: ImageTable) -> Association | None:
    """How class and attribute go together in train; None where fewer than two classes or attribute values are there."""
    rows = table.rows("train")
    rows = rows[table.attributes[rows] != UNKNOWN]
    counts = np.zeros((table.n_classes, table.n_attributes), np.int64)
    np.add.at(counts, (table.labels[rows], table.attributes[rows]), 1)
    occurring = counts[counts.any(axis=1)][:, counts.any(axis=0)]  # (classes, values)
    if min(occurring.shape) < 2:
        return None
    n = int(counts.sum())
    given_away, by_chance = counts.max(axis=0).sum() / n, counts.sum(axis=1).max() / n
    return Association(n, float(given_away), float(by_chance), cramers_v(occurring), _strongest(counts))


def _strongest(counts: np.ndarray) -> Cell:
    """The cell of counts (classes, values) with the most images beyond those that independence would give it."""
    with_it, among_all = counts.sum(axis=0), counts.sum(axis=1) / counts.sum()
    beyond = counts - np.outer(among_all, with_it)
    label, attribute = map(int, np.unravel_index(beyond.argmax(), counts.shape))
    share = counts[label, attribute] / max(1, with_it[attribute])
    return Cell(label, attribute, float(share), float(among_all[label]))


def cramers_v(counts: np.ndarray) -> float:
    """Cramer's V of a contingency table (R, C) of counts without empty rows or columns, corrected for its bias.

    Of 320 images in 40 classes and three values that know nothing of each other, the plain one, sqrt(chi2 / (n (min -
    1))), is 0.35 on average (W. Bergsma, A bias-correction for Cramer's V and Tschuprow's T, Journal of the Korean
    Statistical Society 42, 2013).
    """
    n, (rows, columns) = int(counts.sum()), counts.shape
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    phi_squared = ((counts - expected) ** 2 / expected).sum() / n
    beyond_chance = max(0.0, phi_squared - (rows - 1) * (columns - 1) / max(1, n - 1))
    width = min(size - (size - 1) ** 2 / max(1, n - 1) for size in (rows, columns)) - 1
    return min(1.0, float(np.sqrt(beyond_chance / width))) if width > 0 else 0.0
