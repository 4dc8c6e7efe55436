"""A plain table whose rows open runs: light enough to stand there at once, where the data grid takes a second.

Rows are real links (middle click, keyboard, screen reader); a plain click opens the run without loading the page anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import streamlit as st

from app.routes.assets import static

Tone = Literal["", "good", "bad", "warn", "live", "quiet"]

_mount = st.components.v2.component(
    "slim_link_table",
    html='<div class="slim-table"></div>',
    css=static("ui/link_table.css").read_text(),
    js=static("ui/link_table.js").read_text(),
)


@dataclass(frozen=True)
class Column:
    """A column's title, what it means (shown on hover), and which side it keeps to.

    ``from_px``: how wide the table must be to have room for it; in a narrower one it is left out.
    """

    title: str
    help: str = ""
    right: bool = False
    from_px: int = 0


@dataclass(frozen=True)
class Cell:
    """Text, or a moment shown in the reader's time zone; ``run`` makes it a link to that run."""

    text: str = ""
    tone: Tone = ""
    run: str | None = None
    time: datetime | None = None
    title: str = ""  # shown on hover
    code: bool = False  # in type of equal width, and whole

    def wire(self) -> dict[str, Any]:
        """As JSON for the browser, without what is empty."""
        about = {"text": self.text, "tone": self.tone, "run": self.run, "title": self.title, "code": self.code}
        about["time"] = self.time.isoformat() if self.time else None
        return {name: value for name, value in about.items() if value}


Row = Sequence[Cell | str]


def show(key: str, label: str, columns: Sequence[Column], rows: Sequence[Row]) -> str | None:
    """Draw the table; returns the run a click has asked for, once. ``label`` names the table to screen readers."""
    with st.container(key=f"rows-{len(rows)}-{key}"):  # its room is kept: app/index_html.py
        result = _mount(key=key, data=wire(label, columns, rows), on_opened_change=lambda: None)
    opened: str | None = result.opened
    return opened


def wire(label: str, columns: Sequence[Column], rows: Sequence[Row]) -> dict[str, Any]:
    """The table as JSON for the browser."""
    return {
        "label": label,
        "columns": [asdict(one) for one in columns],
        "rows": [[cell.wire() if isinstance(cell, Cell) else {"text": cell} for cell in row] for row in rows],
    }
