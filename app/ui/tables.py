"""Tables: what people have written as it is written, moments by the reader's clock, links to runs; and their room.

Such a link opens its run in this tab and session (app/ui/static/address.js), and in another one as any link does.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import session
from app.ui.messages import verbatim

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

Colour = Literal["", "gray", "blue", "orange", "green", "red"]  # of text, as Streamlit's Markdown names it


@dataclass(frozen=True)
class TableText:
    """Text that has a colour, is code, or leads to a ``run``."""

    text: str
    colour: Colour = ""
    run: str | None = None
    code: bool = False

    def markdown(self) -> str:
        """As Streamlit draws it."""
        shown = f"`{self.text}`" if self.code and self.text and "`" not in self.text else verbatim(self.text)
        shown = shown.replace("]", r"\]") if (self.colour or self.run) and not self.code else shown
        if self.run:
            shown = f"[{shown}](jobs?run={self.run})"
        return f":{self.colour}[{shown}]" if self.colour and self.text else shown


Row = Sequence[TableText | str | datetime]


def show(label: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """A table under these titles. ``label`` names it to screen readers."""
    frame = pd.DataFrame([[_shown(one) for one in row] for row in rows], columns=list(map(verbatim, columns)))
    st.table(frame, border="horizontal", hide_index=True, alt=label)


def _shown(one: TableText | str | datetime) -> str:
    if isinstance(one, datetime):
        return session.clock(one)
    return one.markdown() if isinstance(one, TableText) else verbatim(one)


def place(key: str, names: Iterable[str]) -> DeltaGenerator:
    """A container for the table of these names, another one for the table of others.

    A table that takes the place of one with the same columns keeps their widths, so that after a data set of short
    names the groups of the next one are cut after a few letters.
    """
    return st.container(key=f"{key}-{zlib.crc32(chr(10).join(names).encode()):08x}")


ROW_PX, BORDER_PX = 33, 2
LINES_PX = 65  # of a row whose cells break their lines, which Streamlit lets them from more than 64 on
MOST_ROWS = 11  # a longer table scrolls


def height(n_rows: int, most: int = MOST_ROWS, row_px: int = ROW_PX) -> int:
    """Pixels of a table of so many rows below its titles: what Streamlit gives it in the end."""
    return BORDER_PX + ROW_PX + row_px * min(n_rows, most)


LONGEST = 18  # characters of a name beside which half a page has room for the numbers


def halves(names: Iterable[str], widths: Sequence[float] = (1, 1), **options: Any) -> list[DeltaGenerator]:
    """Left and right, or above and below; ``names``: what the parts list, ``options`` as of st.columns."""
    if all(len(name) <= LONGEST for name in names):
        return st.columns(widths, **options)
    return [st.container(), st.container()]
