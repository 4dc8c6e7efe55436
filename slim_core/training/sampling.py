"""In which order, and how often, an epoch sees its rows: shuffled, or with classes or groups drawn equally often.

Class-balanced sampling is RWY of Idrissi et al., "Simple data balancing achieves competitive worst-group-accuracy"
(CLeaR 2022), group-balanced sampling their RWG: draws with replacement, as many as there are rows. Light: no torch.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from slim_core.data.groups import UNGROUPED

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
