"""A file of answers as a table of text, whoever wrote it: another tool, a spreadsheet, our own export of everything.

Three forms, told apart by the file's ending: JSON lines (.jsonl, .ndjson), Parquet (.parquet), and CSV (any other).
The CSV is read by the standard library: of pandas' two readers one drops a last line whose quote is not closed, the
other the surplus fields of the first line, both without a word.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from slim_core.data.files.tables import has_more_text
from slim_core.errors import AnswersRefusedError
from slim_core.formatting import from_cell

MOST_BYTES = 100_000_000
COLUMNS = ("row", "path", "answer", "value", "annotator", "seconds", "what", "stands")  # what is read of a file
MORE = "beyond the header"  # and the fields that a line has beyond the header
_NEEDED = "row (or path) and answer"
_HISTORY = {"annotator", "what", "stands"}  # columns of our own export of everything
_BY_THE_LEAD = ("decision", "decision undone")
_FORMS = {".jsonl": "JSON lines", ".ndjson": "JSON lines", ".parquet": "Parquet"}
_ROWS_AT_ONCE = 1_024

Lines = tuple[list[str], dict[int, Mapping[str, Any]]]  # the names of the columns; number of the line -> its values


class _UnreadableError(ValueError):
    """Why a file is not of its form, and what to do."""

    def __init__(self, reason: object, remedy: str = f"it needs {_NEEDED}") -> None:
        super().__init__(str(reason))
        self.remedy = remedy


def read(source: Path | bytes, name: str | None = None) -> pd.DataFrame:
    """Every line of a file of answers; of an export of everything, the current answer of each annotator and image.

    Args:
        source: the file, or its content.
        name: of the file, where its content is given; its ending says the form.

    Returns:
        COLUMNS as stripped text, "" where nothing is given, and MORE. The index, line, counts as an editor does (the
        header of a CSV is line 1), and the rows of a Parquet file from 1.

    Raises:
        AnswersRefusedError: the file cannot be read, lacks a column, or is not what its ending says.
    """
    shown = str(source) if isinstance(source, Path) else name or "The file"
    form = _FORMS.get(PurePath(shown).suffix.lower(), "CSV")
    try:
        columns, lines = _READERS[form](_content(source, shown))
    except _UnreadableError as error:
        reason = (str(error).strip().splitlines() or ["it is damaged"])[0].rstrip(".")[:200]
        raise AnswersRefusedError(f"{shown} cannot be read as {form} ({reason}): {error.remedy}.") from error
    if not {"row", "path"} & set(columns) or not {"answer", "value"} & set(columns):
        raise AnswersRefusedError(f"{shown} has the columns {', '.join(columns) or 'none'}: it needs {_NEEDED}.")
    index = pd.Index(list(lines), name="line")
    frame = pd.DataFrame(list(lines.values()), index, [*COLUMNS, MORE], dtype=object).map(_as_text)
    return _current(frame) if set(columns) >= _HISTORY else frame


def _content(source: Path | bytes, name: str) -> bytes:
    try:
        if isinstance(source, Path) and source.exists() and not source.is_file():
            raise AnswersRefusedError(f"{name} is a folder or a device: name a file of answers.")  # a pipe may hang
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        if size > MOST_BYTES:
            raise AnswersRefusedError(f"{name} has {size:,} bytes: split it into files of at most {MOST_BYTES:,}.")
        return source.read_bytes() if isinstance(source, Path) else source
    except OSError as error:
        raise AnswersRefusedError(f"{name} cannot be read ({error.strerror}): name a file of answers.") from error


def _text(content: bytes) -> str:
    if content.startswith(b"PAR1"):
        raise _UnreadableError("it is a Parquet file", "its name must end in .parquet")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _UnreadableError(f"byte {error.start:,} is not UTF-8 text", "save it in UTF-8") from error


def _csv(content: bytes) -> Lines:
    text = _text(content)
    if text.lstrip().startswith(("{", "[")):
        raise _UnreadableError("it is JSON", "the name of a file of JSON lines must end in .jsonl")
    separator = max(",;\t", key=text.split("\n", 1)[0].count)  # spreadsheets of many countries write semicolons
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey=MORE, strict=True, delimiter=separator)
    try:
        reader.fieldnames = [column.strip() for column in reader.fieldnames or ()]
        lines: dict[int, Mapping[str, Any]] = {}
        for fields in reader:
            lines[reader.line_num] = _from_cells(fields)
        return list(reader.fieldnames), lines
    except csv.Error as error:
        raise _UnreadableError(f"line {reader.line_num}: {error}") from error


def _from_cells(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: from_cell(value) if isinstance(value, str) else value for name, value in fields.items()}


def _jsonl(content: bytes) -> Lines:
    columns: dict[str, None] = {}
    lines: dict[int, Mapping[str, Any]] = {}
    for number, text in enumerate(_text(content).split("\n"), 1):
        if text.strip():
            lines[number] = _json_object(text, number)
            columns |= dict.fromkeys(lines[number])
    return list(columns), lines


def _json_object(text: str, number: int) -> dict[str, Any]:
    try:
        record = json.loads(text)
        if isinstance(record, dict):
            return record
        reason = "is not an object"
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "is too deep or too long")
    raise _UnreadableError(
        f"line {number}: {reason}", 'write one object per line, such as {"row": 1, "answer": "right"}'
    )


def _parquet(content: bytes) -> Lines:
    """Read by Arrow alone, which executes nothing a file holds: our columns, and no more than may be unpacked."""
    lines: dict[int, Mapping[str, Any]] = {}
    size = 0
    try:
        with pq.ParquetFile(io.BytesIO(content)) as file:
            columns = list(file.schema_arrow.names)
            wanted = [column for column in COLUMNS if column in columns]
            if has_more_text(io.BytesIO(content), MOST_BYTES, wanted):  # a thousand rows may be too many
                raise _unpacked()
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=wanted):
                size += max(batch.nbytes, batch.num_rows)  # a row of one repeated value may take no bytes at all
                if size > MOST_BYTES:
                    raise _unpacked()
                lines |= enumerate(batch.to_pylist(), len(lines) + 1)
    except (OSError, pa.ArrowException) as error:
        raise _UnreadableError(error) from error
    return columns, lines


def _unpacked() -> _UnreadableError:
    return _UnreadableError(f"it decompresses to more than {MOST_BYTES:,} bytes", "split it")


_READERS = {"CSV": _csv, "JSON lines": _jsonl, "Parquet": _parquet}


def _as_text(value: Any) -> str:
    """A value as a CSV would have it: whole numbers without a fraction, though a column with gaps makes them floats."""
    if value is None or value != value:  # NaN: a number that is missing
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="replace").strip()
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return str(value).strip()


def _current(history: pd.DataFrame) -> pd.DataFrame:
    """Of all that happened, the current answers: one that was changed or undone says nothing any more.

    A lead's decision is not an annotator's answer, and is left out.
    """
    given = history[~history["what"].isin(_BY_THE_LEAD)].reset_index()
    last = given.groupby(["annotator", "row", "path"], sort=False, as_index=False).last()
    return last.assign(answer=last["stands"], value="").set_index("line").astype(object)  # also where none is left
