"""What was seen of the files of a large data set, kept in SLIM_HOME: nothing rests on it, and it may be deleted.

One SQLite file for each folder of images. A probe counts while its file has the size and the time of change of then.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

FOLDER = "file-checks"
WAIT_S = 5.0  # for another check of the same folder
_SCHEMA = """CREATE TABLE IF NOT EXISTS probes (path TEXT PRIMARY KEY, fault TEXT, detail TEXT, bytes INTEGER,
    width INTEGER, height INTEGER, mtime_ns INTEGER, decoded INTEGER, orientation INTEGER, brightest INTEGER)
    WITHOUT ROWID"""
UNKNOWN = -1  # of Probe.brightest
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Probe:
    """What one file turned out to be: by its header, or by all its pixels."""

    fault: str = ""  # "", or the code of a finding
    detail: str = ""  # the sentence on the fault
    bytes: int = -1  # size of the file
    width: int = 0  # pixels, as stored
    height: int = 0
    mtime_ns: int = -1  # when it was changed, nanoseconds since 1970
    decoded: bool = False  # all its pixels were read
    orientation: int = 1  # of its EXIF, 1 to 8: images.orientation_of
    brightest: int = UNKNOWN  # of its pixels: images.brightest; UNKNOWN: not decoded


_COLUMNS = ("path", *(one.name for one in fields(Probe)))
_NAMED = ", ".join(_COLUMNS)


class ProbeCache:
    """The probes of one folder's files. Where they cannot be kept, nothing is, and every file is probed again."""

    def __init__(self, path: Path) -> None:
        self._database: sqlite3.Connection | None = None
        with self._left_alone_if_broken():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=WAIT_S, check_same_thread=False)
            self._database.execute("PRAGMA synchronous = OFF")  # a power cut costs a second probe, no more
            self._database.execute(_SCHEMA)

    @classmethod
    def of(cls, home: Path, root: Path) -> ProbeCache:
        """Those of the folder ``root`` of images."""
        return cls(_path(home, root))

    @staticmethod
    def files_of(home: Path, root: Path) -> list[Path]:
        """The files in which those of the folder ``root`` are kept."""
        path = _path(home, root)
        return list(path.parent.glob(f"{path.name}*"))  # with SQLite's own beside it

    def find(self, paths: Sequence[str], full: np.ndarray, max_pixels: int) -> dict[int, Probe]:
        """Row -> probe, of N paths those that still count; where ``full`` (N,) bool, only probes of all pixels do."""
        kept = self._all()
        return {
            row: probe
            for row, path in enumerate(paths)
            if (probe := kept.get(path)) is not None
            and (probe.decoded or not full[row])
            and probe.width * probe.height <= max_pixels
            and _is_as_seen(path, probe)
        }

    def keep(self, paths: Sequence[str], probes: Sequence[Probe]) -> None:
        """Keep what is sound. A fault may end while the file stays as it is: that of a disk, a right or a limit."""
        rows = [
            (path, *(getattr(probe, name) for name in _COLUMNS[1:]))
            for path, probe in zip(paths, probes, strict=True)
            if not probe.fault
        ]
        with self._left_alone_if_broken():
            if self._database is not None:
                with self._database:
                    values = ", ".join("?" * len(_COLUMNS))
                    self._database.executemany(f"INSERT OR REPLACE INTO probes ({_NAMED}) VALUES ({values})", rows)

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            self._database.close()

    def _all(self) -> dict[str, Probe]:
        with self._left_alone_if_broken():
            if self._database is not None:
                rows = self._database.execute(f"SELECT {_NAMED} FROM probes")
                return {path: Probe(*values) for path, *values in rows}
        return {}

    @contextmanager
    def _left_alone_if_broken(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeError) as error:  # a full disk, a home that is read-only, a damaged file
            _log.warning("What was seen of the files is not kept: %s", error)
            self.close()
            self._database = None


def _is_as_seen(path: str, probe: Probe) -> bool:
    try:
        about = os.lstat(path)  # a link is probed each time: it may lead elsewhere by now
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(about.st_mode) and (about.st_size, about.st_mtime_ns) == (probe.bytes, probe.mtime_ns)


def _path(home: Path, root: Path) -> Path:
    return home / FOLDER / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.sqlite"
