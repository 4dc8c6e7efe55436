"""The lines of a CSV of answers, whoever wrote it: another tool, a spreadsheet, our own export of all that happened."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from slim_core.errors import AnswersRefusedError

MOST_BYTES = 100_000_000
_MORE = "\0"  # stands for the fields beyond the header
_NEEDED = "row (or path) and answer"
_SEPARATORS = ",;\t"
_HISTORY = {"annotator", "what", "stands"}  # columns of our own export of everything
_BY_THE_LEAD = ("decision", "decision undone")

Line = tuple[int, dict[str, str], int]  # its number, its fields by name, how many fields it has beyond the header


def read(source: Path | bytes) -> list[Line]:
    """Every line behind the header; of an export of everything, what stands for each annotator and image.

    Raises:
        AnswersRefusedError: the file cannot be read, or lacks a column.
    """
    name = source if isinstance(source, Path) else "The file"
    text = _text(source, name)
    try:
        reader = csv.DictReader(
            io.StringIO(text, newline=""), restval="", restkey=_MORE, strict=True, delimiter=_separator(text)
        )
        columns = [column.strip() for column in reader.fieldnames or ()]
        reader.fieldnames = columns
        found = [(reader.line_num, fields, len(fields.pop(_MORE, ()))) for fields in reader]
    except csv.Error as error:
        raise AnswersRefusedError(f"{name} cannot be read as a CSV ({error}): it needs {_NEEDED}.") from error
    if not {"row", "path"} & set(columns) or not {"answer", "value"} & set(columns):
        raise AnswersRefusedError(f"{name} has the columns {', '.join(columns) or 'none'}: it needs {_NEEDED}.")
    return _standing(found) if set(columns) >= _HISTORY else found


def _text(source: Path | bytes, name: object) -> str:
    try:
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        if size > MOST_BYTES:
            raise AnswersRefusedError(f"{name} has {size:,} bytes: split it into files of at most {MOST_BYTES:,}.")
        return (source.read_bytes() if isinstance(source, Path) else source).decode("utf-8-sig")
    except OSError as error:
        raise AnswersRefusedError(f"{name} cannot be read as a CSV ({error}): it needs {_NEEDED}.") from error
    except UnicodeDecodeError as error:
        raise AnswersRefusedError(
            f"{name} cannot be read as a CSV, for it is no UTF-8 text (byte {error.start:,}): save it as CSV in UTF-8."
        ) from error


def _separator(text: str) -> str:
    """What separates the columns: spreadsheets of many countries write semicolons."""
    header = text.split("\n", 1)[0]
    return max(_SEPARATORS, key=header.count)


def _standing(lines: Sequence[Line]) -> list[Line]:
    """Of all that happened, what stands: an answer that was changed or taken back says nothing any more.

    A lead's decision is nobody's answer, and is left out.
    """
    last: dict[tuple[str, str, str], Line] = {}
    for line, fields, n_more in lines:
        if fields["what"] not in _BY_THE_LEAD:
            key = (fields["annotator"], fields.get("row", ""), fields.get("path", ""))
            last[key] = (line, fields | {"answer": fields["stands"], "value": ""}, n_more)
    return list(last.values())
