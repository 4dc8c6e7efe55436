"""SLIM_HOME is its owner's alone: answers with names, images and keys are not for other users of the machine."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

_FOLDERS = ("runs", "datasets", "work", "redis", "overlays", "imported", "selections")
_FILES = ("slim.db", "slim.db-wal", "slim.db-shm", "slim.db.migrate", "workers.log")


def keep_private(home: Path) -> None:
    """Take from others what they may read of a home: 0700, and what lies in it 0700 or 0600.

    A home that its group may write is shared on purpose: its group keeps what it has. One of another owner, or with the
    sticky bit (as /tmp), is left alone, and so are links.
    """
    found = home.stat()
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX:
        return
    taken = stat.S_IRWXO if found.st_mode & stat.S_IWGRP else stat.S_IRWXG | stat.S_IRWXO
    for path in (home, *(home / name for name in (*_FOLDERS, *_FILES))):
        with contextlib.suppress(OSError):  # not there (yet), or a file system without modes
            _take(path, taken)


def _take(path: Path, taken: int) -> None:
    found = path.lstat()
    if not stat.S_ISLNK(found.st_mode) and found.st_mode & taken:
        path.chmod(stat.S_IMODE(found.st_mode) & ~taken)
