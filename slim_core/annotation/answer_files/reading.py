"""The lines of a file of answers, whoever wrote it: another tool, a spreadsheet, our own export of all that happened.

Three forms, told apart by the file's ending: JSON lines (.jsonl, .ndjson), Parquet (.parquet), and CSV (any other).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any

from slim_core.errors import AnswersRefusedError

MOST_BYTES = 100_000_000
_MORE = "\0"  # stands for the fields beyond the header
_NEEDED = "row (or path) and answer"
_SEPARATORS = ",;\t"
_HISTORY = {"annotator", "what", "stands"}  # columns of our own export of everything
_BY_THE_LEAD = ("decision", "decision undone")
_READ = ("row", "path", "answer", "value", "annotator", "seconds", "what", "stands")
_PARQUET_MARK = b"PAR1"
_ROWS_AT_ONCE = 1_024

Line = tuple[int, dict[str, str], int]  # its number, its fields by name, how many fields it has beyond the header
Table = tuple[list[str], list[Line]]  # the names of the columns, and the lines


def read(source: Path | bytes, name: str | None = None) -> list[Line]:
    """Every line of answers; of an export of everything, what stands for each annotator and image.

    Lines count as an editor numbers them (the header of a CSV is line 1), those of a Parquet file from 1.

    Args:
        source: the file, or what it holds.
        name: of the file, where what it holds is given; its ending says the form.

    Raises:
        AnswersRefusedError: the file cannot be read, lacks a column, or is not what its ending says.
    """
    shown = str(source) if isinstance(source, Path) else name or "The file"
    columns, found = _form(shown)(_content(source, shown), shown)
    if not {"row", "path"} & set(columns) or not {"answer", "value"} & set(columns):
        raise AnswersRefusedError(f"{shown} has the columns {', '.join(columns) or 'none'}: it needs {_NEEDED}.")
    return _standing(found) if set(columns) >= _HISTORY else found


def _form(name: str) -> Callable[[bytes, str], Table]:
    forms = {".jsonl": _jsonl, ".ndjson": _jsonl, ".parquet": _parquet}
    return forms.get(PurePath(name).suffix.lower(), _csv)


def _content(source: Path | bytes, name: str) -> bytes:
    try:
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        if size > MOST_BYTES:
            raise AnswersRefusedError(f"{name} has {size:,} bytes: split it into files of at most {MOST_BYTES:,}.")
        return source.read_bytes() if isinstance(source, Path) else source
    except OSError as error:
        raise AnswersRefusedError(f"{name} cannot be read ({error.strerror}): name a file of answers.") from error


def _text(content: bytes, name: str, form: str) -> str:
    if content.startswith(_PARQUET_MARK):
        raise AnswersRefusedError(f"{name} is a Parquet file and cannot be read as {form}: let it end in .parquet.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnswersRefusedError(
            f"{name} cannot be read as {form}, for it is no UTF-8 text (byte {error.start:,}): "
            f"save it as {form} in UTF-8."
        ) from error


def _csv(content: bytes, name: str) -> Table:
    text = _text(content, name, "CSV")
    if text.lstrip().startswith(("{", "[")):
        raise AnswersRefusedError(
            f"{name} holds JSON and cannot be read as CSV: let a file of JSON lines end in .jsonl."
        )
    try:
        reader = csv.DictReader(
            io.StringIO(text, newline=""), restval="", restkey=_MORE, strict=True, delimiter=_separator(text)
        )
        columns = [column.strip() for column in reader.fieldnames or ()]
        reader.fieldnames = columns
        return columns, [(reader.line_num, fields, len(fields.pop(_MORE, ()))) for fields in reader]
    except csv.Error as error:
        raise AnswersRefusedError(f"{name} cannot be read as CSV ({error}): it needs {_NEEDED}.") from error


def _separator(text: str) -> str:
    """What separates the columns: spreadsheets of many countries write semicolons."""
    header = text.split("\n", 1)[0]
    return max(_SEPARATORS, key=header.count)


def _jsonl(content: bytes, name: str) -> Table:
    columns: dict[str, None] = {}
    found: list[Line] = []
    for number, text in enumerate(_text(content, name, "JSON lines").split("\n"), 1):
        if text.strip():
            record = _json_object(text, name, number)
            columns |= dict.fromkeys(record)
            found.append((number, _fields(record.items()), 0))
    return list(columns), found


def _json_object(text: str, name: str, number: int) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        told = getattr(error, "msg", "too deep or too long")
        raise AnswersRefusedError(
            f"{name} cannot be read as JSON lines (line {number}: {told}): write one object a line, with {_NEEDED}."
        ) from error
    if not isinstance(record, dict):
        raise AnswersRefusedError(
            f'Line {number} of {name} is no JSON object: write one a line, such as {{"row": 1, "answer": "right"}}.'
        )
    return record


def _parquet(content: bytes, name: str) -> Table:
    """Read by Arrow alone, which executes nothing a file holds: our columns, and no more than may be unpacked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: list[Line] = []
    try:
        with pq.ParquetFile(io.BytesIO(content)) as file:
            columns, size = list(file.schema_arrow.names), 0
            wanted = [column for column in _READ if column in columns]
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=wanted):
                size += max(batch.nbytes, batch.num_rows)  # a row of one repeated value may take no bytes at all
                if size > MOST_BYTES:
                    raise AnswersRefusedError(
                        f"{name} unpacks to more than {MOST_BYTES:,} bytes: split it into smaller files."
                    )
                found += [(len(found) + n, _fields(row.items()), 0) for n, row in enumerate(batch.to_pylist(), 1)]
    except (OSError, ValueError, pa.ArrowException) as error:
        told = (str(error).strip().splitlines() or ["it is damaged"])[0].rstrip(".")
        raise AnswersRefusedError(f"{name} cannot be read as Parquet ({told[:200]}): it needs {_NEEDED}.") from error
    return columns, found


def _fields(record: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """What is read of a line, as a CSV would have it."""
    return {name: _written(value) for name, value in record if name in _READ}


def _written(value: object) -> str:
    if value is None or value != value:  # NaN: a number that is missing
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return str(value)


def _standing(lines: Sequence[Line]) -> list[Line]:
    """Of all that happened, what stands: an answer that was changed or taken back says nothing any more.

    A lead's decision is nobody's answer, and is left out.
    """
    last: dict[tuple[str, str, str], Line] = {}
    for line, fields, n_more in lines:
        if fields.get("what") not in _BY_THE_LEAD:
            key = (fields.get("annotator", ""), fields.get("row", ""), fields.get("path", ""))
            last[key] = (line, fields | {"answer": fields.get("stands", ""), "value": ""}, n_more)
    return list(last.values())
