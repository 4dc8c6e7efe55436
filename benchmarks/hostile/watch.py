"""What is measured while cases are sent: files outside the roots, what is left, what is logged, memory."""

from __future__ import annotations

import io
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import numpy as np
import psutil
from PIL import Image

MARK = "canary-b5d1f0a47c"  # in every text outside the roots
COLOUR = (13, 201, 77)  # of every image outside the roots, and of none inside
_LONG_AGO_NS = 1_000_000_000 * 10**9
_BESIDE_THE_POINT = ("redis/", "slim.db", "dashboard.log", "workers.log", "redis.log", "token.key")
_TABLES_OF_MACHINES = ("workers", "alembic_version")


class Canaries:
    """Files beside the allowed folders. Their times of access move when somebody reads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sub").mkdir(parents=True)
        self.image, self.mask = folder / "secret.png", folder / "sub" / "mask.png"
        self.text, self.table = folder / "secret.txt", folder / "metadata.csv"
        Image.new("RGB", (32, 32), COLOUR).save(self.image)
        Image.new("RGB", (32, 32), COLOUR).save(self.mask)
        self.text.write_text(MARK * 20)
        self.table.write_text(f"path,split,label\nsecret.png,train,{MARK}\nsub/mask.png,val,other\n")
        self._reset()
        self.text.read_bytes()
        self.by_times = bool(self.touched())  # not where the disk is mounted with noatime

    def touched(self) -> list[str]:
        """Which were read, written, added or removed since the last call."""
        found = {str(path) for path in self._files() if self._times(path) != self._expected.get(path)}
        found |= {str(path) for path in self._expected if not path.exists()}
        self._reset()
        return sorted(found)

    def _files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if not path.is_dir()]

    def _reset(self) -> None:
        """With relatime a read moves the time of access only where that lies before the last change."""
        for path in self._files():
            os.utime(path, ns=(_LONG_AGO_NS, _LONG_AGO_NS + 10**9))
        self._expected = {path: self._times(path) for path in self._files()}

    def _times(self, path: Path) -> tuple[int, int]:
        found = path.stat()
        return found.st_atime_ns, found.st_mtime_ns


def shows_a_canary(content: bytes) -> bool:
    """Whether a text or an image holds what only files outside the roots hold."""
    return MARK.encode() in content or _shows_the_colour(content)


def _shows_the_colour(content: bytes) -> bool:
    if content[:4] not in (b"\x89PNG", b"RIFF") and content[:2] != b"\xff\xd8":
        return False
    try:
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=int)
    except (OSError, ValueError):
        return False
    return bool((np.abs(pixels - COLOUR).max(axis=2) < 24).mean() > 0.2)


def files_with_a_canary(folder: Path) -> list[str]:
    """Files below a folder, the database among them, that hold the text."""
    return [str(path) for path in sorted(folder.rglob("*")) if path.is_file() and MARK.encode() in path.read_bytes()]


class Kept:
    """What an installation holds: rows by table, and the files of its home."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._tables = self._named_tables()

    def now(self) -> dict[str, int]:
        """Table or file -> rows or 1. Logs, Redis and what may be deleted at any time are left out."""
        until = time.monotonic() + 1
        while any((self._home / "exports").rglob("*.*")) and time.monotonic() < until:
            time.sleep(0.01)  # an export is removed once it is sent
        files = (str(path.relative_to(self._home)) for path in self._home.rglob("*") if not path.is_dir())
        found = {path: 1 for path in files if not path.startswith(_BESIDE_THE_POINT)}
        with self._database() as database:
            for table in self._tables:
                (found[f"table {table}"],) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
        database.close()
        return found

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._home / 'slim.db'}?mode=ro", uri=True, timeout=10)

    def _named_tables(self) -> list[str]:
        with self._database() as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        database.close()
        return [name for name in names if name not in _TABLES_OF_MACHINES]


def differences(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[str, ...]:
    """What one holds more or less of than the other."""
    names = sorted(name for name in before | after if before.get(name) != after.get(name))
    return tuple(f"{name}: {before.get(name, 0)} -> {after.get(name, 0)}" for name in names)


class Logs:
    """What services have written into their logs."""

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._read = dict.fromkeys(paths, 0)

    def new(self) -> bytes:
        """Since the last call."""
        return b"".join(map(self._new_of, self._paths))

    def _new_of(self, path: Path) -> bytes:
        if not path.exists():
            return b""
        with path.open("rb") as log:
            log.seek(self._read[path])
            found = log.read()
        self._read[path] += len(found)
        return found


class Memory(threading.Thread):
    """The most that each service and its children have held together, looked at five times a second."""

    def __init__(self, pids: Mapping[str, Callable[[], int]]) -> None:
        super().__init__(daemon=True)
        self.most_mb = dict.fromkeys(pids, 0.0)
        self._pids, self._ending = pids, threading.Event()

    def run(self) -> None:
        """Look until the block ends."""
        while not self._ending.wait(0.2):
            for name, pid in self._pids.items():
                self.most_mb[name] = max(self.most_mb[name], _resident_mb(pid()))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        self.join()


def _resident_mb(pid: int) -> float:
    try:
        root = psutil.Process(pid)
        return sum(each.memory_info().rss for each in [root, *root.children(recursive=True)]) / 2**20
    except psutil.Error:  # one of them has just ended
        return 0.0
