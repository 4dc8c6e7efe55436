"""JSON, and tables of one JSON object a line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from slim_core.data.files.metadata import limits
from slim_core.data.files.metadata.own_file import require_own_file
from slim_core.data.report import FormatRefusedError

_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a letter beyond 16 bits, as JSON writes it


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
            if len(rows) == n or len(rows) > limits.MOST_ROWS:
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
