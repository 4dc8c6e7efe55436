"""A table of metadata in whatever form it has, or why it is refused."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa

from slim_core.data.files.metadata.json_files import read_json_lines
from slim_core.data.files.metadata.limits import require_rows
from slim_core.data.files.metadata.own_file import require_own_file
from slim_core.data.files.metadata.parquet import parquet_head, read_parquet
from slim_core.data.files.metadata.text import cells_of, first_line_of, read_text, sniff_delimiter, wrong_encoding
from slim_core.data.files.stand_ins import stand_in_refusal
from slim_core.data.report import FormatRefusedError
from slim_core.errors import first_line

_UNREADABLE = (OSError, ValueError, EOFError, zlib.error, pa.ArrowException)  # pandas' parse errors are ValueErrors
Reader = Callable[[Path], pd.DataFrame]


def read_table(path: Path) -> pd.DataFrame:
    """A CSV, TSV, Parquet or JSON Lines file with its delimiter found; every cell of a text file as it stands.

    Raises:
        FormatRefusedError: missing, empty or not a table.
    """
    frame = _read(path, read_parquet, read_text, read_json_lines)
    if not len(frame):
        raise FormatRefusedError("empty-metadata", f"{path} has no rows: name a table with one row per image.")
    require_rows(path, len(frame))
    return frame


def read_head(path: Path, n: int) -> pd.DataFrame:
    """The first rows of a table, at most ``n``.

    Raises:
        FormatRefusedError: missing or not a table.
    """
    head = (parquet_head, read_text, read_json_lines)
    return _read(path, *(partial(read, n=n) for read in head))


def header_of(path: Path) -> tuple[str, ...]:
    """Column names of a text table, or of a file of JSON Lines; empty where it cannot be read."""
    try:
        if is_json_lines(path):
            return tuple(map(str, read_head(path, 1).columns))
        header = first_line_of(require_own_file(path)).strip()
    except (FormatRefusedError, *_UNREADABLE):
        return ()
    delimiter = sniff_delimiter(header)
    names = header.split() if delimiter == r"\s+" else cells_of(header, delimiter)
    return tuple(name.strip().strip('"') for name in names)


def csv_files(path: Path) -> list[Path]:
    """The file itself, or the CSV files of a folder by name."""
    if path.is_file():
        return [path]
    return sorted(path.glob("*.csv")) if path.is_dir() else []


def is_parquet(path: Path) -> bool:
    """By its suffix."""
    return path.suffix.lower() in (".parquet", ".pq")


def is_json_lines(path: Path) -> bool:
    """By its suffix; all tables that are neither this nor Parquet are text with a header."""
    return path.suffix.lower() == ".jsonl"


def unreadable(path: Path, reason: str) -> str:
    """What to do about a table that cannot be read."""
    if is_parquet(path):
        return f"{path} is not a readable table ({reason}): write the Parquet file again, or a CSV."
    if is_json_lines(path):
        return f"{path} is not readable as JSON Lines ({reason}): write one object per line, in UTF-8."
    remedy = "save it as UTF-8 text with a header and the same number of cells per line"
    return f"{path} is not a readable table ({reason}): {remedy}."


def _read(path: Path, parquet: Reader, text: Reader, lines: Reader) -> pd.DataFrame:
    if refusal := stand_in_refusal(require_own_file(path), "a table"):
        raise FormatRefusedError("web-page", refusal)
    try:
        frame = parquet(path) if is_parquet(path) else lines(path) if is_json_lines(path) else text(path)
    except UnicodeDecodeError as error:
        raise FormatRefusedError("unreadable-metadata", wrong_encoding(path)) from error
    except _UNREADABLE as error:
        raise FormatRefusedError("unreadable-metadata", unreadable(path, _reason(error))) from error
    return frame.rename(columns=_without_blanks([str(name) for name in frame.columns]))


def _without_blanks(names: list[str]) -> dict[str, str]:
    """Name -> the same without blanks around it, unless another column would be called so too."""
    times = Counter(name.strip() for name in names)
    return {name: name.strip() for name in names if times[name.strip()] == 1}


def _reason(error: Exception) -> str:
    """The first line of what a parser says, and where it counts cells, that in plain words."""
    said = first_line(error)
    if "No columns to parse" in said:
        return "it is empty"
    if opened := re.search(r"EOF inside string starting at row (\d+)", said):
        return f"the quotation mark that line {int(opened[1]) + 1} opens is never closed"
    counted = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", said)
    return said if counted is None else "line {1} has {2} cells and the header {0}".format(*counted.groups())
