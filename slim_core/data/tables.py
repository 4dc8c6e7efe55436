"""A table of metadata (text, Parquet or JSON Lines): which may be opened, how much is read, and why one is refused."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pandas.api.types import is_extension_array_dtype

from slim_core.data.images.codec import stand_in_refusal
from slim_core.data.report import FormatRefusedError
from slim_core.errors import PathRefusedError, first_line
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


MOST_ROWS = 3_000_000
MOST_COLUMNS = 10_000
MOST_TEXT_MB = 1_000  # of all cells together; a million of paths have some 50
_TEXTS = ("STRING", "JSON", "ENUM", "NONE")  # of a column of bytes
MOST_MB = 1_000  # that a packed table has unpacked
MOST_HEADER = 10_000_000  # letters of a table's first line
FIRST_LINE = 2  # of the rows of a text table, after its header
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a letter beyond 16 bits, as JSON writes it
_UNREADABLE = (OSError, ValueError, EOFError, zlib.error, pa.ArrowException)  # pandas' parse errors are ValueErrors
Reader = Callable[[Path], pd.DataFrame]


def require_rows(path: Path, n: int) -> None:
    """Refuse a table of more rows than can be looked at in minutes."""
    if n > MOST_ROWS:
        raise FormatRefusedError(
            "rows", f"{path} has {n:,} rows, more than {MOST_ROWS:,}: split it into several data sets."
        )


def require_lines(path: Path, n: int) -> None:
    """Refuse a text table of more lines than MOST_ROWS, which are not counted to their end."""
    if n > MOST_ROWS:
        raise FormatRefusedError("rows", f"{path} has more than {MOST_ROWS:,} lines: split it into several data sets.")


def require_columns(path: Path, n: int) -> None:
    """Refuse a table of more columns than pandas reads in seconds."""
    if n > MOST_COLUMNS:
        raise FormatRefusedError("columns", f"{path} has {n:,} columns, more than {MOST_COLUMNS:,}: leave some out.")


def require_readable_size(path: Path, columns: Collection[str] | None = None) -> None:
    """Refuse a Parquet file of 5 kB that takes gigabytes of memory, before it is read as it stands.

    ``columns``: those that are to be read; None stands for all.

    Raises:
        FormatRefusedError: its texts have more than MOST_TEXT_MB together.
        pa.ArrowException, OSError: it cannot be read.
    """
    if has_more_text(path, MOST_TEXT_MB * 1_000_000, columns):
        raise FormatRefusedError(
            "rows", f"The texts of {path} unpack to more than {MOST_TEXT_MB:,} MB: leave out the long ones."
        )


def has_more_text(source: Path | IO[bytes], most: int, columns: Collection[str] | None = None) -> bool:
    """Whether the texts of a Parquet file have more bytes than ``most``; each is read once, however often it stands."""
    with pq.ParquetFile(source) as file:
        leaves = [file.schema.column(i) for i in range(len(file.schema))]
    texts = [
        leaf.path
        for leaf in leaves
        if leaf.physical_type == "BYTE_ARRAY" and leaf.logical_type.type in _TEXTS
        if columns is None or leaf.path in columns or leaf.path.partition(".")[0] in columns
    ]
    if not texts:
        return False
    with pq.ParquetFile(source, read_dictionary=texts) as file:
        for batch in file.iter_batches(columns=texts):
            most -= sum(_length(one) for column in batch.columns for one in _texts_in(column))
            if most < 0:
                return True
    return False


def _texts_in(array: pa.Array) -> Iterator[pa.DictionaryArray]:
    """The texts of a column, also those inside lists and objects."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        yield array
    elif pa.types.is_struct(kind):
        for i in range(kind.num_fields):
            yield from _texts_in(array.field(i))
    elif pa.types.is_map(kind):
        yield from _texts_in(array.keys)
        yield from _texts_in(array.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _texts_in(array.values)


def _length(texts: pa.DictionaryArray) -> int:
    """Bytes of all of them."""
    lengths: Any = pc.binary_length(texts.dictionary)
    return pc.sum(lengths.take(texts.indices)).as_py() or 0


def read_parquet(path: Path) -> pd.DataFrame:
    """Counted first: a file of 50 kB may hold millions of rows."""
    with pq.ParquetFile(path) as file:
        n = file.metadata.num_rows
        require_columns(path, file.metadata.num_columns)
        _require_names(path, file.schema_arrow.names)
    require_rows(path, n)
    require_readable_size(path)
    return _with_texts(path, _as_objects(_with_index(pd.read_parquet(path))))


def parquet_head(path: Path, n: int) -> pd.DataFrame:
    """The first rows, at most ``n``."""
    with pq.ParquetFile(path) as file:
        require_columns(path, file.metadata.num_columns)
        _require_names(path, file.schema_arrow.names)
        require_readable_size(path)
        first = next(file.iter_batches(batch_size=n), file.schema_arrow.empty_table())
        return _with_texts(path, _as_objects(_with_index(first.to_pandas())))


def _require_names(path: Path, names: Sequence[str]) -> None:
    """Refuse columns that share a name: pandas gives neither of them by it."""
    name, n = Counter(names).most_common(1)[0] if names else ("", 0)
    if n > 1:
        raise FormatRefusedError(
            "columns", f"{path.name} has {n} columns named {name}: rename all but the one you mean."
        )


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """With the index of pandas as columns, where it has a name: the paths may be there."""
    named = [name for name in frame.index.names if name is not None and name not in frame]
    return frame.reset_index(level=named) if named else frame


def _as_objects(frame: pd.DataFrame) -> pd.DataFrame:
    """Without those types of pandas that take no text for an empty cell, as categories and whole numbers with gaps."""
    kinds = frame.dtypes.items()
    own = [name for name, kind in kinds if is_extension_array_dtype(kind) and not isinstance(kind, pd.StringDtype)]
    return frame.astype(dict.fromkeys(own, object))


def _with_texts(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Cells of bytes as the texts they are; some writers know no other.

    Raises:
        FormatRefusedError: bytes are not text in UTF-8.
    """
    for column in [name for name, kind in frame.dtypes.items() if kind.kind == "O"]:
        if frame[column].map(lambda cell: isinstance(cell, bytes)).any():
            try:
                frame[column] = frame[column].map(lambda cell: cell.decode() if isinstance(cell, bytes) else cell)
            except UnicodeDecodeError as error:
                raise FormatRefusedError(
                    "bytes", f"{path} holds bytes in the column {column}, not text: write texts, or leave it out."
                ) from error
    return frame


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
        nrows=MOST_ROWS + 1 if n is None else n,
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


def read_json(path: Path) -> Any:
    """A JSON file of metadata.

    Raises:
        FormatRefusedError: as ``require_own_file``, or it holds no JSON.
    """
    try:
        return _from_json(require_own_file(path).read_text(encoding="utf-8-sig"))
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
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                rows[number] = _cells(line, number)
            if len(rows) == n or len(rows) > MOST_ROWS:
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
