"""The height of a table, so that its room is there before the code that draws it, and nothing moves when it comes."""

from __future__ import annotations

ROW_PX, BORDER_PX = 33, 2
MOST_ROWS = 11  # a longer table scrolls


def of(n_rows: int, most: int = MOST_ROWS) -> int:
    """Pixels of a table of so many rows below its titles: what Streamlit gives it in the end."""
    return BORDER_PX + ROW_PX * (1 + min(n_rows, most))
