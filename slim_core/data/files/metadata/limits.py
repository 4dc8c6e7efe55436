"""How large a table of metadata may be."""

from __future__ import annotations

from pathlib import Path

from slim_core.data.report import FormatRefusedError

MOST_ROWS = 3_000_000
MOST_COLUMNS = 10_000


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
