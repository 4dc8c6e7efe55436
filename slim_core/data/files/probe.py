"""Looks into image files, many at a time, and keeps what was found by size and date of each."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from slim_core.data.images.codec import (
    STORED,
    ImageMissingError,
    ImageTooLargeError,
    brightest,
    image_header,
    open_image,
    orientation_of,
)
from slim_core.data.report import Progress
from slim_core.errors import ImageRefusedError
from slim_core.settings import Settings

FOLDER = "file-checks"
WAIT_S = 5.0  # for another check of the same folder
_SCHEMA = """CREATE TABLE IF NOT EXISTS probes (path TEXT PRIMARY KEY, fault TEXT, detail TEXT, bytes INTEGER,
    width INTEGER, height INTEGER, mtime_ns INTEGER, decoded INTEGER, orientation INTEGER, brightest INTEGER)
    WITHOUT ROWID"""
UNKNOWN = -1  # of Probe.brightest
_log = logging.getLogger(__name__)
THREADS = 8  # decoding and reading release the interpreter's lock
MANY = 2_000  # files from which processes of their own pay, and from which what was seen is kept
IDLE_S = 2.0  # after which they leave: joblib lets them wait for five minutes, and whoever started them, at its end
CHUNK = 200  # files a process takes at once, and between two reports of progress
REPORT_S = 1.0  # seconds between two of them at most: files may be large


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


@dataclass(frozen=True)
class Prober:
    """How files are probed."""

    settings: Settings
    root: Path  # of the data set: what was seen of its files is kept under its name
    progress: Progress | None = None

    def probe(self, paths: Sequence[str], full: np.ndarray, what: str) -> list[Probe]:
        """A probe of each of N files; those of ``full`` (N,) bool are decoded, of the others the header is read.

        Of MANY files what was seen is kept as it comes: a check that was interrupted resumes there, and a file that
        has not changed since is not read again.
        """
        if len(paths) < MANY:
            with closing(self._in_threads(paths, full)) as probes:
                return list(self._reported(probes, len(paths), 0, what))
        with closing(ProbeCache.of(self.settings.home, self.root)) as kept:
            known = kept.find(paths, full, self.settings.max_pixels)
            new = [row for row in range(len(paths)) if row not in known]
            with closing(self._on_all_cores([paths[row] for row in new], full[new], kept)) as probes:
                known.update(zip(new, self._reported(probes, len(paths), len(known), what), strict=True))
        return [known[row] for row in range(len(paths))]

    def _in_threads(self, paths: Sequence[str], full: np.ndarray) -> Generator[Probe]:
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            yield from pool.map(lambda i: probe_file(paths[i], bool(full[i]), self.settings), range(len(paths)))

    def _on_all_cores(self, paths: Sequence[str], full: np.ndarray, kept: ProbeCache) -> Generator[Probe]:
        from joblib import Parallel, delayed  # 0.1 s, which small sets save

        starts = range(0, len(paths), CHUNK)
        chunks = (delayed(_probe_some)(paths[i : i + CHUNK], full[i : i + CHUNK], self.settings) for i in starts)
        cores = Parallel(n_jobs=-1, backend="loky", return_as="generator", idle_worker_timeout=IDLE_S)
        for start, probes in zip(starts, cores(chunks), strict=True):
            kept.keep(paths[start : start + CHUNK], probes)
            yield from probes

    def _reported(self, probes: Iterable[Probe], n: int, n_known: int, what: str) -> Iterator[Probe]:
        reported_at = time.monotonic()
        for done, probe in enumerate(probes, n_known + 1):
            yield probe
            if self.progress and (done % CHUNK == 0 or done == n or time.monotonic() - reported_at > REPORT_S):
                self.progress(done, n, what)
                reported_at = time.monotonic()


def _probe_some(paths: Sequence[str], full: np.ndarray, settings: Settings) -> list[Probe]:
    return [probe_file(path, bool(decode), settings) for path, decode in zip(paths, full, strict=True)]


def probe_file(name: str, decode: bool, settings: Settings) -> Probe:
    """What a file turns out to be; ``decode``: all its pixels are read, not the header alone."""
    try:
        about = os.lstat(name)
        if stat.S_ISLNK(about.st_mode):
            if not settings.allows(name):
                return Probe("path-escape", f"{name} links to {os.path.realpath(name)}: put the file itself there.")
            about = os.stat(name)
        if not stat.S_ISREG(about.st_mode):  # a pipe would wait for ever
            raise FileNotFoundError
        return _inside(name, about, decode, settings)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return Probe("missing-files", f"{name[:200]} is missing: put the file back, or remove its row.")
    except OSError as error:  # a name of 5,000 letters, a folder that this user may not open
        return Probe("missing-files", f"{name[:200]} cannot be opened ({error.strerror}): rename or free it.")


def _inside(path: str, about: os.stat_result, decode: bool, settings: Settings) -> Probe:
    fault = detail = ""
    width = height = 0
    orientation, peak = STORED, UNKNOWN
    try:
        if decode:
            image = open_image(path, max_pixels=settings.max_pixels)
            (width, height), orientation, peak = image.size, orientation_of(image), brightest(image)
        else:
            width, height, orientation = image_header(path, max_pixels=settings.max_pixels)
    except ImageMissingError as error:
        return Probe("missing-files", str(error))
    except ImageRefusedError as error:
        fault, detail = "large-files" if isinstance(error, ImageTooLargeError) else "broken-files", str(error)
    return Probe(fault, detail, about.st_size, width, height, about.st_mtime_ns, decode, orientation, peak)
