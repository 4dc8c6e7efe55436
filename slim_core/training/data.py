"""What a training sees: the images to train on, with repeats, in which order, and those the best epoch is chosen by.

Class-balanced sampling is RWY of Idrissi et al., "Simple data balancing achieves competitive worst-group-accuracy"
(CLeaR 2022), group-balanced sampling their RWG: draws with replacement, as many as there are rows. Light: no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from slim_core.data.groups import UNGROUPED, Grouping, no_attribute
from slim_core.data.table import ImageTable
from slim_core.errors import SpecRefusedError

if TYPE_CHECKING:
    from slim_core.models.inference import Pixels


@dataclass(frozen=True, eq=False)
class TrainData:
    """Rows of a table, and what is known of them."""

    table: ImageTable  # N images
    rows: np.ndarray  # (n,) positions to train on
    val_rows: np.ndarray  # positions the best epoch is chosen on; empty: the last epoch is kept
    grouping: Grouping  # groups of all N images, for the metrics (and for objectives that say they use groups)
    counts: np.ndarray | None = None  # (n,) how often each is seen in an epoch; None: once
    pixels: Pixels | None = None  # images already decoded under the model's transform; trainings may share them
    cells: np.ndarray | None = None  # (N,) of the objective: its epochs draw each equally often; None: by the config

    def repeated(self) -> np.ndarray:
        """(sum of counts,) int64: each row as often as it is seen in an epoch."""
        rows = np.asarray(self.rows, np.int64)
        return rows if self.counts is None else np.repeat(rows, np.asarray(self.counts, np.int64))

    def every_row(self) -> np.ndarray:
        """Rows of all images that a training may read, in no order, some more than once."""
        return np.concatenate([self.rows, self.val_rows])

    def check(self, n_classes: int) -> None:
        """Refuse what a model of so many classes cannot be trained on.

        Raises:
            SpecRefusedError: the data set has another number of classes, or one of them has no image to train on.
        """
        table = self.table
        if n_classes != table.n_classes:
            raise SpecRefusedError(
                f"The model has {n_classes} classes and {table.name} has {table.n_classes}: build it for this data set."
            )
        seen = np.bincount(table.labels[self.repeated()], minlength=table.n_classes)
        missing = [table.label_names[c] for c in np.flatnonzero(seen == 0)]
        if missing:
            raise SpecRefusedError(
                f"The {len(self.rows)} training images hold none of the class {', '.join(missing)}: "
                f"choose images of every class."
            )

    def check_groups(self) -> None:
        """Refuse what cannot be trained on group by group; a group without an image to train on does not count.

        Raises:
            SpecRefusedError: the data set has no attribute, or a class has no image to train on whose group is known.
        """
        if self.grouping.estimated:
            raise no_attribute(self.table, "This training", "objective and sampling")
        known = self.rows[self.grouping.index[self.rows] != UNGROUPED]
        if missing := self.table.classes_without(known):
            raise SpecRefusedError(
                f"This training uses group labels, but of the {len(self.rows)} training images none whose group is "
                f"known is of the class {', '.join(missing)}: complete the attribute column, or choose other images, "
                f"or another objective and sampling."
            )

    def groups_left_out(self) -> tuple[str, ...]:
        """Names of the groups that have no image to train on: some pairs of class and attribute cannot occur."""
        return self.grouping.lacking(self.rows)


Sampling = Literal["shuffled", "class-balanced", "group-balanced"]
SAMPLINGS: dict[Sampling, str] = {
    "shuffled": "each image once",
    "class-balanced": "classes equally often",
    "group-balanced": "groups equally often (uses group labels)",
}


def epoch_order(cell: np.ndarray | None, n: int, seed: int, epoch: int) -> np.ndarray:
    """(n,) int64 positions in 0..n-1 in the order an epoch sees them; (seed, epoch) decide it.

    Args:
        cell: (n,) class or group of each row; every cell is drawn equally often, UNGROUPED never. None: a permutation.
        n: rows of an epoch, repeats included.
        seed: of the training.
        epoch: 0-based.
    """
    random = np.random.default_rng([seed, epoch])
    if cell is None:
        return random.permutation(n)
    return random.choice(n, n, p=equal_shares(cell))


def equal_shares(cell: np.ndarray) -> np.ndarray:
    """(n,) probabilities that give each cell with rows the same total, UNGROUPED none."""
    known = cell != UNGROUPED
    _, place, counts = np.unique(cell[known], return_inverse=True, return_counts=True)
    shares = np.zeros(len(cell))
    shares[known] = 1 / (len(counts) * counts[place])
    return shares
