"""How much is free on a disk, as far as that is known: one rule for all who ask before they write."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

MB = 2**20
_TRIED = 2**16  # bytes of the file that shows whether a disk is written, whose figures say nothing, or 0


def free_bytes(folder: Path) -> int | None:
    """Bytes that are free on the disk of a folder; None where that is not known.

    Some network file systems report nothing, or a size of 0: whoever writes there meets their end.
    """
    try:
        found = os.statvfs(folder)
    except OSError:  # the folder is gone, or its server: every write says so
        return None
    free = found.f_bavail * found.f_frsize
    if found.f_blocks <= 0 or found.f_bavail > found.f_blocks or (free == 0 and can_write(folder)):
        return None
    return free


def can_write(folder: Path, size: int = _TRIED) -> bool:
    """Whether a file of so many bytes can be written there: a quota is seen by no figure. It is gone afterwards."""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as tried:
            for at in range(0, size, MB):
                tried.write(bytes(min(MB, size - at)))
            os.fsync(tried.fileno())
    except OSError:
        return False
    return True
