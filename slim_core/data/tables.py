"""A table of metadata (text, Parquet or JSON Lines), JSON and lists: how much is read, and why one is refused."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa

from slim_core.data.bounds import (
    most_decoded,
    n_bytes,
    require_cells,
    require_columns,
    require_decoded,
    require_own_file,
    require_rows,
)
from slim_core.data.images.codec import stand_in_refusal
from slim_core.data.parquet import parquet_head, read_parquet
from slim_core.data.report import FormatRefusedError
from slim_core.errors import first_line

MOST_TEXT_GB = 4  # of a file that is read as a whole
MOST_HEADER = 10_000_000  # letters of a table's first line
N_WIDTHS = 3  # lines whose width is looked at: pandas refuses a later one that is wider
BLANKS = r"\s+"  # a delimiter
FIRST_LINE = 2  # of the rows of a text table, after its header
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a letter beyond 16 bits, as JSON writes it
_UNREADABLE = (OSError, ValueError, EOFError, zlib.error, pa.ArrowException)  # pandas' parse errors are ValueErrors
Reader = Callable[[Path], pd.DataFrame]


def read_text(path: Path, n: int | None = None) -> pd.DataFrame:
    """Rows under the number of their line: the header is line 1. Empty lines are no rows. ``n``: lines at most."""
    header = first_line_of(path)
    if "\0" in header:  # without a byte order mark
        raise FormatRefusedError("unreadable-metadata", f"{path} is text in UTF-16: save it as UTF-8.")
    delimiter = sniff_delimiter(header)
    frame = pd.read_csv(
        _bounded(path, delimiter, n),
        sep=delimiter,
        encoding="utf-8-sig",
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=False,
        skipinitialspace=True,
        nrows=n,
    )
    frame = _under_header(frame)
    frame.index = pd.Index(_lines_of(frame, path, whole=n is None))
    return frame[(frame != "").any(axis=1)]


def read_blank_separated(path: Path, **layout: Any) -> pd.DataFrame:
    """A list whose cells are parted by blanks. ``layout``: of its header, as pandas has it.

    Raises:
        FormatRefusedError: as ``read_table``.
    """
    try:
        source = _bounded(require_own_file(path), BLANKS, None)
        frame: pd.DataFrame = pd.read_csv(source, sep=BLANKS, dtype=str, **layout)
    except _UNREADABLE as error:
        raise FormatRefusedError("unreadable-metadata", unreadable(path, _reason(error))) from error
    return frame


def lines_of(path: Path) -> list[str]:
    """The lines of a text that are not empty; what is no UTF-8 in them is replaced.

    Raises:
        FormatRefusedError: as ``require_own_file``, or it has too many.
    """
    lines = [line for line in _plain(require_own_file(path)).read_text(errors="replace").splitlines() if line.strip()]
    require_rows(path, len(lines))
    return lines


def head_of(path: Path, n: int) -> str:
    """The first letters of a text, at most ``n``; what is no UTF-8 in them is replaced."""
    with require_own_file(path).open(encoding="utf-8", errors="replace") as file:
        return file.read(n)


def first_line_of(path: Path) -> str:
    """The header, or as much of it as is allowed."""
    return next(_first_lines(path), "")


def _first_lines(path: Path) -> Iterator[str]:
    with _opened(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig") as lines:
        while line := lines.readline(MOST_HEADER):
            yield line


def _plain(path: Path) -> Path:
    if n_bytes(path) > MOST_TEXT_GB * 1e9:
        raise FormatRefusedError(
            "size", f"{path} has more than {MOST_TEXT_GB} GB: split it, or leave out what is not needed."
        )
    return path


def _bounded(path: Path, delimiter: str, n: int | None) -> Path | IO[bytes]:
    """What pandas may read of a text table: all, or enough for ``n`` lines.

    Raises:
        FormatRefusedError: it has too many rows, columns or both, or unpacks to too much.
    """
    begin = list(islice(_first_lines(path), N_WIDTHS))
    n_columns = max((_n_cells(line, delimiter) for line in begin), default=0)
    require_columns(path, n_columns)
    if n is not None:
        return io.BytesIO("".join(islice(_first_lines(path), n + 1)).encode()) if _is_packed(path) else path
    source = _unpacked(path) if _is_packed(path) else _plain(path)
    n_rows = max(_count(path, b"\n"), _count(path, b"\r"))  # at most: pandas also ends lines where old Macs do
    require_rows(path, n_rows)
    require_cells(path, n_rows, n_columns)
    return source


def _n_cells(line: str, delimiter: str) -> int:
    return len(line.split()) if delimiter == BLANKS else line.count(delimiter) + 1


def _unpacked(path: Path) -> IO[bytes]:
    with gzip.open(path) as packed:
        content = packed.read(most_decoded(path) + 1)
    require_decoded(path, len(content))
    return io.BytesIO(content)


def _opened(path: Path) -> IO[bytes]:
    """A text table from its start; a packed one is unpacked as it is read."""
    return cast(IO[bytes], gzip.open(path)) if _is_packed(path) else path.open("rb")


def sniff_delimiter(header: str) -> str:
    """The delimiter of a header line: comma, tab, semicolon, bar, or runs of blanks. What is quoted does not count."""
    header = re.sub(r'"[^"]*"', "", header)
    counts = {delimiter: header.count(delimiter) for delimiter in (",", "\t", ";", "|")}
    best = max(counts, key=lambda delimiter: counts[delimiter])
    return best if counts[best] else BLANKS


def cells_of(line: str, delimiter: str) -> list[str]:
    """The cells of a line; a delimiter inside quotation marks parts none."""
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # a cell of more than 100,000 letters
        return line.split(delimiter)


def wrong_encoding(path: Path) -> str:
    """What to do about a text table that is not in UTF-8."""
    with _opened(path) as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return f"{path} is text in UTF-16: save it as UTF-8."
        file.seek(0)
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                shown = line[max(0, error.start - 12) : error.end + 12].decode("latin-1").strip()
                return (
                    f"{path} is not text in UTF-8: line {number} seems to be Latin-1 or Windows-1252 ({shown!r}); save "
                    f"it as UTF-8."
                )
    return f"{path} is not text in UTF-8: save it as UTF-8."


def _under_header(frame: pd.DataFrame) -> pd.DataFrame:
    """The cells under the names they belong to, where lines have more of them than the header.

    pandas takes what comes first in such lines for the names of the rows. R writes those, as numbers; a delimiter that
    ends every line is no cell.

    Raises:
        ValueError: it is neither, and a cell could be of any column.
    """
    if isinstance(frame.index, pd.RangeIndex):
        return frame
    cells, n_names = frame.reset_index().fillna(""), frame.shape[1]
    beyond = (cells.iloc[:, n_names:] != "").any(axis=1).to_numpy()
    if not beyond.any():
        return cells.iloc[:, :n_names].set_axis(frame.columns, axis=1)
    if cells.shape[1] == n_names + 1 and cells.iloc[:, 0].astype(str).str.fullmatch(r"\d*").all():
        return frame.reset_index(drop=True)
    line = FIRST_LINE + int(beyond.argmax())
    raise ValueError(f"line {line} has {cells.shape[1]} cells and the header {n_names}")


def _lines_of(frame: pd.DataFrame, path: Path, *, whole: bool) -> np.ndarray:
    """(N,) the line on which each row begins. Only where the file has more lines than rows, some cell holds a break."""
    lines = np.arange(FIRST_LINE, FIRST_LINE + len(frame))
    if whole and _count(path, b"\n") > len(frame) + 1:
        breaks = sum((frame.iloc[:, i].fillna("").str.count("\n").to_numpy() for i in range(frame.shape[1])), lines * 0)
        lines[1:] += np.cumsum(breaks)[:-1]
    return lines


def _count(path: Path, letter: bytes) -> int:
    with _opened(path) as file:
        return sum(part.count(letter) for part in iter(partial(file.read, 1 << 20), b""))


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def read_json(path: Path) -> Any:
    """A JSON file of metadata.

    Raises:
        FormatRefusedError: as ``require_own_file``, or it holds no JSON.
    """
    try:
        return _from_json(_plain(require_own_file(path)).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:  # RecursionError: lists in lists, thousands deep
        raise FormatRefusedError(
            "unreadable-metadata", f"{path} is not readable JSON ({error}): write it again in UTF-8."
        ) from error


def _from_json(text: str) -> Any:
    """What a text of JSON holds.

    Raises:
        ValueError: it is none, or holds half of a letter, which JSON can write and no table or database takes.
        RecursionError: it holds lists in lists, thousands deep.
    """
    content = json.loads(text)
    if _HALF.search(text):
        json.dumps(content, ensure_ascii=False).encode()
    return content


def read_json_lines(path: Path, n: int | None = None) -> pd.DataFrame:
    """One object a line, under the number of its line; numbers as text, and what holds other values as JSON.

    Raises:
        ValueError: a line is no object.
    """
    rows: dict[int, dict[str, str]] = {}
    columns: set[str] = set()
    with _plain(path).open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                rows[number] = _cells(line, number)
                columns |= rows[number].keys()
                require_rows(path, len(rows))
                require_columns(path, len(columns))
                require_cells(path, len(rows), len(columns))
            if len(rows) == n:
                break
    frame = pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), dtype="int64"), dtype=object)
    return frame.fillna("")


def _cells(line: str, number: int) -> dict[str, str]:
    try:
        found = _from_json(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {number} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"line {number} is not an object in braces")
    return {key: "" if value is None else value if isinstance(value, str) else json.dumps(value)
            for key, value in found.items()}  # fmt: skip


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
    names = header.split() if delimiter == BLANKS else cells_of(header, delimiter)
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
