"""Splits where a data set has none: stratified by label and attribute, seeded, and kept with the data set.

Images of one patient, video or object look alike: in train and test at once they make a test too easy. Where such units
are named, each goes whole to one split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from slim_core.data.table import SPLITS

SHARES: Mapping[str, float] = {"train": 0.6, "val": 0.15, "test": 0.25}
VAL_OF_TRAIN = 0.2  # taken from train where a data set has train images but no val


def make_splits(
    labels: np.ndarray, attributes: np.ndarray, seed: int, shares: Mapping[str, float] = SHARES
) -> np.ndarray:
    """(N,) of split names, in the given shares within each label, and as nearly within each attribute of it.

    The images of a label are put in the order of their attribute, those of one attribute in a seeded order, and dealt
    out evenly along it (systematic sampling). A label with as many images as there are splits has one in each.

    Args:
        labels: (N,) integers.
        attributes: (N,) integers.
        seed: of the order.
        shares: split -> share, summing to 1; splits with a share of 0 get none.
    """
    names = [split for split in SPLITS if shares.get(split, 0) > 0]
    wanted = np.array([shares[name] for name in names])
    made = np.empty(len(labels), dtype=f"<U{max(map(len, SPLITS))}")
    rng = np.random.default_rng([seed, len(labels)])
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        members = members[np.argsort(attributes[members], kind="stable")]
        made[members] = np.array(names)[_evenly(_counts(len(members), wanted))]
    return made


def make_splits_of_units(
    labels: np.ndarray,
    attributes: np.ndarray,
    units: np.ndarray,
    seed: int,
    shares: Mapping[str, float] = SHARES,
) -> np.ndarray:
    """(N,) of split names, all images of a unit the same, in about the given shares within each label and attribute.

    The largest units go first, those of a size in a seeded order: each to a split that has no image of its label yet,
    and of these, or else of all, to the one that lacks most of what it is to have of such images. So a label with as
    many units as there are splits is in each of them, where no unit holds images of two labels.

    Args:
        labels, attributes: (N,) integers.
        units: (N,) integers.
        seed, shares: as of ``make_splits``.
    """
    names = [split for split in SPLITS if shares.get(split, 0) > 0]
    kinds, cells = np.unique(np.stack([labels, attributes], axis=1), axis=0, return_inverse=True)
    cells, of_label = cells.reshape(-1), kinds[:, 0]
    wanted = np.outer([shares[name] for name in names], np.bincount(cells))  # (splits, cells) images
    got, got_of_label = np.zeros_like(wanted), np.zeros((len(names), labels.max(initial=-1) + 1))
    split_of = np.empty(units.max(initial=-1) + 1, np.int64)
    for unit, members in _largest_first(units, seed):
        inside, counts = np.unique(cells[members], return_counts=True)
        lacking = (1 - got[:, inside] / wanted[:, inside]) @ counts
        without = (got_of_label[:, of_label[inside]] == 0) @ counts
        split_of[unit] = chosen = np.lexsort((-lacking, -without))[0]
        got[chosen, inside] += counts
        np.add.at(got_of_label[chosen], of_label[inside], counts)
    made: np.ndarray = np.array(names)[split_of[units]]
    return made


def _largest_first(units: np.ndarray, seed: int) -> Iterator[tuple[int, np.ndarray]]:
    """Each unit and the positions of its images."""
    order = np.argsort(units, kind="stable")
    found, starts, sizes = np.unique(units[order], return_index=True, return_counts=True)
    shuffled = np.random.default_rng([seed, len(units)]).permutation(len(found))
    for place in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        yield int(found[place]), order[starts[place] : starts[place] + sizes[place]]


def _counts(n: int, wanted: np.ndarray) -> np.ndarray:
    """Whole numbers that sum to n, as near to the shares as they go, none of them 0 where n allows."""
    counts: np.ndarray = np.floor(wanted * n).astype(np.int64)
    for place in np.argsort(counts - wanted * n, kind="stable")[: n - counts.sum()]:
        counts[place] += 1
    while n >= len(wanted) and (counts == 0).any():
        counts[np.argmax(counts)] -= 1
        counts[np.argmin(counts)] += 1
    return counts


def _evenly(counts: np.ndarray) -> np.ndarray:
    """Numbers 0, 1, ... as often as counted, each spread evenly over the whole length."""
    places = np.concatenate([(np.arange(count) + 0.5) / max(1, count) for count in counts])
    return np.repeat(np.arange(len(counts)), counts)[np.argsort(places, kind="stable")]
