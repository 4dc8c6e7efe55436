"""A megabyte beside a SQLite database that is given free for removals.

On a disk that is full to its last byte SQLite has no room for its journal: it can neither be opened nor keep that
something was removed, so that what makes space again would be refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from slim_core.store.database import Database

SPARE_BYTES = 2**20  # opening takes 40 kB; that a data set with a hundred runs is removed, about 200 kB


def keep_spare(database: Database) -> None:
    """Take the space, where it is not taken yet; a disk that has none is no error.

    Without a draft, which a killed process would leave for good: nobody reads it, and what is left of it is completed.
    """
    path = _spare_of(database)
    if path is None or _size(path) >= SPARE_BYTES:
        return
    try:
        path.write_bytes(bytes(SPARE_BYTES))
    except OSError:
        with suppress(OSError):
            path.unlink()


@contextmanager
def spared(database: Database) -> Iterator[None]:
    """The space is free while the block removes something, and taken again after it."""
    path = _spare_of(database)
    is_due = path is not None and path.exists()  # a removal that is refused leaves all as it was
    if path is not None:
        path.unlink(missing_ok=True)
    try:
        yield
        is_due = True
    finally:
        if is_due:
            keep_spare(database)


def _size(path: Path) -> int:
    """In bytes; 0 where there is no such file."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _spare_of(database: Database) -> Path | None:
    """None where the database is not a file of ours: its server sees to its disk."""
    found = database.url.database if database.is_sqlite else None
    return Path(f"{found}.spare") if found else None
