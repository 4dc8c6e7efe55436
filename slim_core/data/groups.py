"""Groups: (label, attribute) pairs, or, where no attribute is known, estimated stand-ins for them.

And which labels a method uses beyond the classes of its images, which makes two numbers comparable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd

from slim_core.errors import SpecRefusedError
from slim_core.formatting import free_name

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable

_NUMBERED = re.compile(r", environment \d+$")
UNGROUPED = -1  # an image whose group is not known
NO_GROUP = "unknown"  # what stands in place of its group's name


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which group each of N images belongs to."""

    index: np.ndarray  # (N,) int64 in 0..G-1, UNGROUPED where not known
    names: tuple[str, ...]  # G names, no two the same: those that are given twice are numbered
    estimated: bool = False  # True where the groups stand in for attributes nobody has given

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(unique_names(self.names)))

    def counts(self, rows: np.ndarray | None = None) -> np.ndarray:
        """(G,) int64: images per group, among ``rows`` or all."""
        index = self.index if rows is None else self.index[rows]
        return np.bincount(index[index >= 0], minlength=len(self.names))

    def lacking(self, rows: np.ndarray) -> tuple[str, ...]:
        """Names of the groups that have no image among the rows."""
        return tuple(name for name, count in zip(self.names, self.counts(rows), strict=True) if not count)

    def take(self, rows: np.ndarray) -> Grouping:
        """The same groups for a part of the images, in the order of ``rows``."""
        return Grouping(self.index[rows], self.names, self.estimated)


def unique_names(names: Sequence[str]) -> list[str]:
    """The names in their order; one that was there before gets a number that makes it another: "a, b, c (2)".

    Groups are told apart by their names, and class "a, b" with "c" would be called as class "a" with "b, c".
    """
    taken, seen, found = set(names), set[str](), []
    for name in names:
        if name in seen:
            name = free_name(name, taken)
        taken.add(name)
        seen.add(name)
        found.append(name)
    return found


def in_order(names: pd.Series[str]) -> list[str]:
    """The names that occur, each once: of a categorical in the order of its categories, which is that of the data
    (``slim_core.evaluation.predictions``); others by their letters, by which class 10 comes before class 2."""
    found = names.drop_duplicates().sort_values()
    return [str(one) for one in found]


def group_index(labels: np.ndarray, attributes: np.ndarray, n_attributes: int) -> np.ndarray:
    """(N,) int64 ``label * n_attributes + attribute``; UNGROUPED where the attribute is not known (METHOD, symbols)."""
    labels, attributes = np.asarray(labels, np.int64), np.asarray(attributes, np.int64)
    return np.where(attributes < 0, UNGROUPED, labels * n_attributes + attributes)


def group_names(label_names: Sequence[str], attribute_names: Sequence[str]) -> list[str]:
    """Names in the order of ``group_index``: "landbird, water"; as they are, before ``unique_names``."""
    return [f"{label}, {attribute}" for label in label_names for attribute in attribute_names]


def grouping(table: ImageTable) -> Grouping:
    """The table's groups by attribute; by label alone, and said to be estimated, where it has no attribute."""
    if not table.has_attributes:
        return Grouping(table.labels, table.label_names, estimated=True)
    index = group_index(table.labels, table.attributes, table.n_attributes)
    return Grouping(index, tuple(group_names(table.label_names, table.attribute_names)))


def no_attribute(table: ImageTable, what: str, other: str) -> SpecRefusedError:
    """What to do where the groups of an attribute are to be balanced, and there is none.

    ``what``: uses them; ``other``: what to choose another of.
    """
    return SpecRefusedError(
        f"{what} uses group labels, but {table.name} has no attribute: name its attribute column on import, or choose "
        f"another {other}."
    )


def in_turn(rows: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """The rows (n,) in an order drawn by the seed in which the groups take turns.

    The first k hold as many of each group as of any other, as far as they go. ``groups`` (N,): of all images.
    """
    mixed = np.random.default_rng(seed).permutation(rows)
    turn = pd.Series(mixed).groupby(groups[mixed]).cumcount().to_numpy()  # how many of its group come before an image
    ordered: np.ndarray = mixed[np.argsort(turn, kind="stable")]
    return ordered


def pseudo_groups(
    labels: np.ndarray,
    clusters: np.ndarray,
    n_clusters: int | Sequence[int],
    label_names: Sequence[str],
    split: str = "train",
) -> Grouping:
    """Estimated groups: class x environment, where nobody has given attributes (METHOD section 2).

    ``clusters`` (N,) counts within the class, UNGROUPED where unknown; ``n_clusters`` is one number or one a class;
    ``split``: whose images were clustered.
    """
    per_class = [n_clusters] * len(label_names) if isinstance(n_clusters, int) else list(n_clusters)
    first = np.concatenate([[0], np.cumsum(per_class)[:-1]]).astype(np.int64)  # (C,) first group of each class
    labels, clusters = np.asarray(labels, np.int64), np.asarray(clusters, np.int64)
    index = np.where(clusters < 0, UNGROUPED, first[labels] + clusters)
    names = [f"{name}, environment {k}" for name, n in zip(label_names, per_class, strict=True) for k in range(n)]
    return Grouping(index, tuple(in_split(name, split) for name in names), estimated=True)


def in_split(name: str, split: str) -> str:
    """The name of an estimated group, which says the split unless it is train or is said already.

    The environments of each split are numbered by themselves: environment 1 of test is not environment 1 of train.
    """
    return name if split == "train" or not _NUMBERED.search(name) else f"{name} ({split})"


LabelsUsed = Literal["none", "answers", "groups in validation", "groups in training", "unknown"]
GROUPS_IN_VALIDATION: LabelsUsed = "groups in validation"
GROUPS_IN_TRAINING: LabelsUsed = "groups in training"
UNKNOWN_LABELS: LabelsUsed = "unknown"  # by a model that was trained elsewhere


def used_together(used: Iterable[LabelsUsed]) -> str:
    """What several parts of one method use, each once, the dearest last: "answers, groups in validation", or "none"."""
    found = set(used) - {"none"}
    return ", ".join(each for each in get_args(LabelsUsed) if each in found) or "none"
