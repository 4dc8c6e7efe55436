"""Tables of text: CSV, TSV and their kin, packed or not, every cell as it stands."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from functools import partial
from pathlib import Path
from typing import IO, cast

import numpy as np
import pandas as pd

from slim_core.data.files.metadata import limits
from slim_core.data.files.metadata.limits import require_columns, require_lines
from slim_core.data.report import FormatRefusedError

MOST_MB = 1_000  # that a packed table has unpacked
MOST_HEADER = 10_000_000  # letters of a table's first line
FIRST_LINE = 2  # of the rows of a text table, after its header


def read_text(path: Path, n: int | None = None) -> pd.DataFrame:
    """Rows under the number of their line: the header is line 1. Empty lines are no rows. ``n``: lines at most."""
    header = first_line_of(path)
    if "\0" in header:  # without a byte order mark
        raise FormatRefusedError("unreadable-metadata", f"{path} is text in UTF-16: save it as UTF-8.")
    delimiter = sniff_delimiter(header)
    require_columns(path, header.count(delimiter) + 1)
    frame = pd.read_csv(
        _text_of(path) if n is None and _is_packed(path) else path,
        sep=delimiter,
        encoding="utf-8-sig",
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=False,
        skipinitialspace=True,
        nrows=limits.MOST_ROWS + 1 if n is None else n,
    )
    require_lines(path, len(frame))  # empty ones among them
    frame = _under_header(frame)
    frame.index = pd.Index(_lines_of(frame, path, whole=n is None))
    return frame[(frame != "").any(axis=1)]


def first_line_of(path: Path) -> str:
    """The header, or as much of it as is allowed."""
    with _opened(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig") as lines:
        return lines.readline(MOST_HEADER)


def _text_of(path: Path) -> IO[bytes]:
    """A packed table, unpacked as far as is allowed.

    Raises:
        FormatRefusedError: it is larger than that.
    """
    with gzip.open(path) as packed:
        content = packed.read(MOST_MB * 1_000_000 + 1)
    if len(content) > MOST_MB * 1_000_000:
        raise FormatRefusedError("rows", f"{path} unpacks to more than {MOST_MB:,} MB: unpack it, and name the table.")
    return io.BytesIO(content)


def _opened(path: Path) -> IO[bytes]:
    """A text table from its start; a packed one is unpacked as it is read."""
    return cast(IO[bytes], gzip.open(path)) if _is_packed(path) else path.open("rb")


def sniff_delimiter(header: str) -> str:
    """The delimiter of a header line: comma, tab, semicolon, bar, or runs of blanks. What is quoted does not count."""
    header = re.sub(r'"[^"]*"', "", header)
    counts = {delimiter: header.count(delimiter) for delimiter in (",", "\t", ";", "|")}
    best = max(counts, key=lambda delimiter: counts[delimiter])
    return best if counts[best] else r"\s+"


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
    if whole and _n_breaks(path) > len(frame) + 1:
        breaks = sum((frame.iloc[:, i].fillna("").str.count("\n").to_numpy() for i in range(frame.shape[1])), lines * 0)
        lines[1:] += np.cumsum(breaks)[:-1]
    return lines


def _n_breaks(path: Path) -> int:
    """Line breaks of a text table."""
    with _opened(path) as file:
        return sum(part.count(b"\n") for part in iter(partial(file.read, 1 << 20), b""))


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"
