"""SLIM_HOME: its owner's alone, since answers with names, images and keys are not for others; and never half there."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from slim_core.data.unpacking import IMPORTED, UPLOADS
from slim_core.errors import PathRefusedError
from slim_core.store.database import Database, StoreUnavailableError

FOLDERS = ("runs", "datasets", "work", "redis", "overlays", "imported", "selections", "uploads", "checkpoints")
DATA_FOLDERS = (UPLOADS, IMPORTED, "demo-data")  # those that hold images
FILES = ("slim.db", "slim.db-wal", "slim.db-shm", "slim.db.migrate", "workers.log")


def keep_private(home: Path) -> None:
    """Take from others what they may read of a home: 0700, and what lies in it 0700 or 0600.

    A home that its group may write is shared on purpose: its group keeps what it has. One of another owner, or with the
    sticky bit (as /tmp), is left alone, and so are links.
    """
    if not hasattr(os, "geteuid"):  # Windows, where modes say nothing
        return
    found = home.stat()
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX:
        return
    taken = stat.S_IRWXO if found.st_mode & stat.S_IWGRP else stat.S_IRWXG | stat.S_IRWXO
    for path in (home, *(home / name for name in (*FOLDERS, *FILES))):
        with contextlib.suppress(OSError):  # not there (yet), or a file system without modes
            _take(path, taken)


def require_database(home: Path, database: Database) -> None:
    """Refuse to start an empty SQLite database beside the results of another: it was moved away, or its disk is.

    Raises:
        StoreUnavailableError: there are results and no database.
    """
    path = Path(database.url.database or "")
    if not database.is_sqlite or path.exists() or path.parent.resolve() != home.resolve():
        return
    kept = [name for name in ("runs", "datasets") if (home / name).is_dir() and any((home / name).iterdir())]
    if kept:
        raise StoreUnavailableError(
            f"{home} holds {' and '.join(kept)}, but their database {path.name} is gone: put it back, also from a "
            f"backup, or set SLIM_HOME to another folder."
        )


def _take(path: Path, taken: int) -> None:
    found = path.lstat()
    if not stat.S_ISLNK(found.st_mode) and found.st_mode & taken:
        path.chmod(stat.S_IMODE(found.st_mode) & ~taken)


def require_outside(home: Path, asked: Path | str, files: Sequence[str] = ()) -> None:
    """Refuse what lies in SLIM_HOME to be registered: what runs and campaigns have left there is no one's data.

    Args:
        home: SLIM_HOME.
        asked: the folder or file that was named.
        files: those found there, which links and tables may have led to.

    Raises:
        PathRefusedError: one of them is in it, however it is spelled, and not in one of its folders of images.
    """
    linked = filter(os.path.islink, set(files))
    if any(_is_kept_in(home, place) for place in {str(asked), *map(os.path.dirname, files), *linked}):
        raise PathRefusedError(f"{asked} is not allowed: choose another folder or file, or ask an admin.")


def _is_kept_in(home: Path, place: str) -> bool:
    try:
        below = Path(os.path.realpath(place)).relative_to(os.path.realpath(home))
    except ValueError:
        return False
    return below.parts[:1] not in {(name,) for name in DATA_FOLDERS}
