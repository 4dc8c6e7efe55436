"""Which files of metadata may be opened, and which were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from slim_core.data.report import FormatRefusedError
from slim_core.errors import PathRefusedError
from slim_core.settings import settings

_noted: ContextVar[list[str] | None] = ContextVar("slim-metadata", default=None)


@contextmanager
def noted() -> Iterator[list[str]]:
    """The paths of all files of metadata that are asked for inside the block."""
    files: list[str] = []
    before = _noted.set(files)
    try:
        yield files
    finally:
        _noted.reset(before)


def require_own_file(path: Path) -> Path:
    """The path, where a file of metadata may be opened: a regular one, in its own folder, inside the allowed roots.

    Raises:
        FormatRefusedError: it is missing, is no file, a link out of its folder, or outside SLIM_DATA_ROOTS.
    """
    if (files := _noted.get()) is not None:
        files.append(str(path))
    if not path.is_file():  # a pipe would wait for ever
        raise FormatRefusedError("missing-metadata", f"{path} is missing: the data set cannot be read without it.")
    if path.is_symlink() and not _is_beside(path):
        raise FormatRefusedError("linked-metadata", f"{path} is a link out of its folder: put the file itself there.")
    try:
        settings().allowed(path)  # the links of its folders followed
    except PathRefusedError as error:
        raise FormatRefusedError("linked-metadata", str(error)) from error
    return path


def _is_beside(path: Path) -> bool:
    """Whether a link leads to a file in its own folder, or in the cache of the Hugging Face Hub to one of its blobs."""
    real = path.resolve()
    snapshots = next((one for one in path.absolute().parents if one.name == "snapshots"), None)
    blobs = () if snapshots is None else (snapshots.parent.resolve() / "blobs",)
    return any(real.is_relative_to(folder) for folder in (path.parent.resolve(), *blobs))
