"""Every feature of an attention pass as it is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from slim_core.export.form import Form, Source
from slim_core.export.image_list import IMAGES, write_image_list
from slim_core.result_files import FEATURES, ROWS
from slim_core.store.results import AttentionResult
from slim_core.store.runs.kinds import PASSES

AT_ONCE = 1024  # rows


def write(source: Source, folder: Path) -> None:
    """(n, K) each: attention, environment and pooled features; rows.npy (n,) and labels.npy (n,)."""
    seen, table = AttentionResult(source.folder), source.table
    for name, file in FEATURES.items():
        stored = seen.stored_features(name)
        each = (stored[part] for part in _parts(np.arange(len(stored))))
        _save_parts(folder / file, stored.dtype, stored.shape, each)
    np.save(folder / ROWS, seen.rows)
    np.save(folder / "labels.npy", table.labels[seen.rows])
    write_image_list(table, seen.rows, folder)


def _parts(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The rows in order, AT_ONCE at a time."""
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


def _save_parts(path: Path, dtype: DTypeLike, shape: tuple[int, ...], each: Iterator[NDArray[Any]]) -> None:
    """A .npy file of ``shape`` from its parts along the first axis.

    Written as a stream: a full disk is an OSError here, where an array mapped from the file would end the process.
    """
    kind = np.dtype(dtype)
    with path.open("wb") as file:
        about = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, about)
        for part in each:
            file.write(np.ascontiguousarray(part, kind).tobytes())


FORM = Form(
    name="features-npy",
    of=PASSES,
    title="Features (NumPy)",
    about=f"{', '.join(FEATURES.values())}, labels.npy, rows.npy: one row per image, as listed in {IMAGES}.",
    opens_in="numpy.load",
    write=write,
)
