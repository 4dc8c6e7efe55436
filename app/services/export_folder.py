"""The folder in which an export is written and from which it is sent, and how those that a crash has left are told."""

from __future__ import annotations

import fcntl
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from slim_core.store.database import make_folder

LOCK = "lock"  # in each folder, held until it is removed: a process that ends, however it ends, lets go of it
UNHELD_S = 60.0  # how long a folder may be there before it is held


class ExportFolder:
    """A new folder of one's own, which no other thread or process sweeps away before it is removed.

    Raises:
        StoreUnavailableError: it cannot be made or written.
    """

    def __init__(self, exports: Path) -> None:
        self.path = make_folder(exports / secrets.token_hex(8))
        self._lock = _lock_of(self.path)
        with suppress(OSError):  # a disk without locks: then none is ever found free, and nothing is swept
            _take(self._lock)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def sweep(exports: Path) -> None:
    """Remove the folders that nobody holds any more."""
    for folder in exports.iterdir() if exports.is_dir() else ():
        if _is_left(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    try:
        if time.time() - folder.stat().st_mtime < UNHELD_S:
            return False
        with _lock_of(folder) as lock:
            _take(lock)
    except OSError:  # it is held, or gone meanwhile
        return False
    return True


def _lock_of(folder: Path) -> IO[str]:
    return (folder / LOCK).open("a")


def _take(lock: IO[str]) -> None:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
