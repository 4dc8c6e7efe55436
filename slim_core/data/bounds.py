"""The gate of all metadata: which file may be opened, and how much it may hold, before it is decoded.

A file of 5 kB may unpack to gigabytes. Importers open none themselves: they ask data.tables and data.parquet, and those
ask here. What a file may hold grows with its size on disk, up to a bound for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from slim_core.data.report import FormatRefusedError
from slim_core.errors import PathRefusedError
from slim_core.settings import settings

MOST_ROWS = 3_000_000
LEAST_ROWS = 200_000  # that any file may have; beyond them a row takes a byte or more, as its path is its own
MOST_COLUMNS = 10_000
MOST_CELLS = 50_000_000  # of a text table: one takes some 30 bytes of memory
LEAST_CELLS = 2_000_000  # and beyond them half a byte of the file or more, with what parts it from the next
MOST_MB, LEAST_MB = 1_000, 100  # that a file takes decoded
MOST_RATIO = 100  # of that to its size; tables in Parquet or gzip have 3 to 30

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


def n_bytes(path: Path) -> int:
    """Its size on disk."""
    return path.stat().st_size


def most_decoded(path: Path) -> int:
    """Bytes that a file may take once it is decoded as a whole."""
    return min(_by_ratio(path), MOST_MB * 1_000_000)


def _by_ratio(path: Path) -> int:
    return LEAST_MB * 1_000_000 + MOST_RATIO * n_bytes(path)


def require_decoded(path: Path, taken: int) -> None:
    """Refuse a file that takes more bytes in memory than one of its size may."""
    if taken > most_decoded(path):
        raise too_much(f"{path} unpacks", most_decoded(path))


def require_ratio(path: Path, declared: int) -> None:
    """Refuse a file that declares far more bytes than it has. Of images that are read one by one there may be many."""
    if declared > _by_ratio(path):
        raise too_much(f"{path} unpacks", _by_ratio(path))


def too_much(what: str, most: int) -> FormatRefusedError:
    """``what``: unpacks to more than ``most`` bytes."""
    return FormatRefusedError(
        "size", f"{what} to more than {most // 1_000_000:,} MB: leave out what is long, or unpack it yourself."
    )


def require_rows(path: Path, n: int) -> None:
    """Refuse a table of more rows than can be looked at in minutes, or than its bytes can tell apart."""
    if n > MOST_ROWS:
        raise FormatRefusedError(
            "rows", f"{path} has {n:,} rows, more than {MOST_ROWS:,}: split it into several data sets."
        )
    if n > LEAST_ROWS + n_bytes(path):
        raise FormatRefusedError(
            "rows", f"{path} has {n:,} rows in {n_bytes(path):,} bytes: name a table with an image of its own in each."
        )


def require_columns(path: Path, n: int) -> None:
    """Refuse a table of more columns than pandas reads in seconds."""
    if n > MOST_COLUMNS:
        raise FormatRefusedError("columns", f"{path} has {n:,} columns, more than {MOST_COLUMNS:,}: leave some out.")


def require_cells(path: Path, n_rows: int, n_columns: int) -> None:
    """Refuse a text table whose rows, each filled up to all columns, take more memory than one of its size may."""
    if n_rows * n_columns > min(LEAST_CELLS + 2 * n_bytes(path), MOST_CELLS):
        raise FormatRefusedError(
            "columns", f"{path} has {n_columns:,} columns and {n_rows:,} lines, too many together: leave columns out."
        )
