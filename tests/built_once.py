"""What is costly to build and only read: built once, for all processes of a run of the suite."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """The folder of this name, which the first process to ask fills by ``build(folder)``; the others wait for it.

    Read it; what a test writes there, the tests of other processes see.
    """
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, built = shared / name, shared / f"{name}.built"
    with FileLock(shared / f"{name}.lock"):
        if not built.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one whose building failed
            folder.mkdir()
            build(folder)
            built.touch()
    return folder
