"""Splits where a data set has none: stratified by label and attribute, seeded, and kept with the data set."""

from __future__ import annotations

from collections.abc import Mapping

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
