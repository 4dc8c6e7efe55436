"""What is costly to build and only read: built once, for all processes of a run of the suite."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """The folder of this name, which the first process to ask fills by ``build(folder)``; the others wait for it.

    Read it; what a test writes there, the tests of other processes see: the run fails for it at its end.
    """
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, built = shared / name, shared / f"{name}.built"
    with FileLock(shared / f"{name}.lock"):
        if not built.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one whose building failed
            folder.mkdir()
            build(folder)
            built.write_text(str(max(map(_changed_ns, _whole(folder)))))
    return folder


def written_since(shared: Path) -> list[Path]:
    """What was written, moved or removed in the folders that were built here, after they were."""
    return [
        path
        for built in sorted(shared.glob("*.built"))
        for path in _whole(built.with_suffix(""))
        if _changed_ns(path) > int(built.read_text())
    ]


def _whole(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.rglob("*")


def _changed_ns(path: Path) -> int:
    """Of a folder, when a name in it came or went, or when it was moved; a file may be linked from anywhere."""
    found = path.lstat()
    return found.st_ctime_ns if path.is_dir() else found.st_mtime_ns
