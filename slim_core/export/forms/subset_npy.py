"""A curated subset as indices."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slim_core.export.form import Form, Source
from slim_core.result_files import ROWS
from slim_core.store.results import SubsetResult

POSITIONS = "train_positions.npy"


def write(source: Source, folder: Path) -> None:
    """(n,) int64 each, ascending, with repeats: by the lines of the data set, and by its training images alone."""
    rows = np.sort(SubsetResult(source.folder).rows())
    np.save(folder / ROWS, rows)
    np.save(folder / POSITIONS, np.searchsorted(source.table.rows("train"), rows))


FORM = Form(
    name="subset-npy",
    of=("curate",),
    title="Indices (NumPy)",
    about=f"{POSITIONS}: indices into the training images, repeats included; {ROWS}: into all images of the data set.",
    opens_in="numpy.load, torch.utils.data.Subset",
    write=write,
)
