"""SUBG: every group cut to the smallest.

Idrissi et al., "Simple data balancing achieves competitive worst-group-accuracy", CLeaR 2022.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slim_core.curation.baselines import draw_equally, group_cells
from slim_core.curation.cells import Cell, cell_seed
from slim_core.curation.data import CurationData, Subset
from slim_core.curation.options import CurateOptions
from slim_core.formatting import counted


def subg(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """As many random images of each true group as the smallest has, or fewer where ``size`` is less.

    No image is used twice unless repeats are asked for; groups without images are left out.

    Raises:
        SpecRefusedError: the data set has no attribute.
    """
    cells, notes = group_cells(data, "subg")
    smallest = min(cells, key=lambda cell: len(cell.members))
    n = len(smallest.members)
    notes.append(f"Every group is cut to {counted(n, 'image')}, as many as the smallest has: {smallest.name}.")
    cut = [_cut(cell, n, cell_seed(seed, len(cells) + place)) for place, cell in enumerate(cells)]
    return draw_equally(data, cut, size, seed, options, repeats=options.repeats is True, notes=notes)


def _cut(cell: Cell, n: int, seed: int) -> Cell:
    """A random part of ``n`` images of a cell."""
    chosen = np.random.default_rng(seed).choice(cell.members, n, replace=False)
    return replace(cell, members=np.sort(chosen))
