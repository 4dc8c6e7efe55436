"""Arrays of an export, written part by part: none is held in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

AT_ONCE = 1024  # rows


def parts(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The rows in order, AT_ONCE at a time."""
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


def save_parts(path: Path, dtype: DTypeLike, shape: tuple[int, ...], each: Iterator[NDArray[Any]]) -> None:
    """A .npy file of ``shape`` from its parts along the first axis.

    Written as a stream: a full disk is an OSError here, where an array mapped from the file would end the process.
    """
    kind = np.dtype(dtype)
    with path.open("wb") as file:
        about = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, about)
        for part in each:
            file.write(np.ascontiguousarray(part, kind).tobytes())
