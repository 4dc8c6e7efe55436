"""The height of a table, so that its room is there before the code that draws it, and nothing moves when it comes."""

from __future__ import annotations

ROW_PX, BORDER_PX = 33, 2
LINES_PX = 65  # of a row whose cells break their lines, which Streamlit lets them from more than 64 on
MOST_ROWS = 11  # a longer table scrolls


def of(n_rows: int, most: int = MOST_ROWS, row_px: int = ROW_PX) -> int:
    """Pixels of a table of so many rows below its titles: what Streamlit gives it in the end."""
    return BORDER_PX + ROW_PX + row_px * min(n_rows, most)
