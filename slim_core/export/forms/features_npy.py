"""Every feature of an attention pass as it is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slim_core.export.arrays import parts, save_parts
from slim_core.export.form import Form, Source
from slim_core.export.image_list import IMAGES, write_image_list
from slim_core.result_files import FEATURES, ROWS
from slim_core.store.results import AttentionResult
from slim_core.store.runs.kinds import PASSES


def write(source: Source, folder: Path) -> None:
    """(n, K) each: attention, environment and pooled features; rows.npy (n,) and labels.npy (n,)."""
    seen, table = AttentionResult(source.folder), source.table
    for name, file in FEATURES.items():
        stored = seen.stored_features(name)
        each = (stored[part] for part in parts(np.arange(len(stored))))
        save_parts(folder / file, stored.dtype, stored.shape, each)
    np.save(folder / ROWS, seen.rows)
    np.save(folder / "labels.npy", table.labels[seen.rows])
    write_image_list(table, seen.rows, folder)


FORM = Form(
    name="features-npy",
    of=PASSES,
    title="Features (NumPy)",
    about=f"{', '.join(FEATURES.values())}, labels.npy, rows.npy: one row per image, as listed in {IMAGES}.",
    opens_in="numpy.load",
    write=write,
)
