"""Plain tables: what people have written as it is written, moments by the reader's clock, and links to runs.

Such a link opens its run in this tab and session (app/ui/static/address.js), and in another one as any link does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pandas as pd
import streamlit as st

from app import session
from app.ui.escape import verbatim

Colour = Literal["", "gray", "blue", "orange", "green", "red"]  # of text, as Streamlit's Markdown names it


@dataclass(frozen=True)
class Cell:
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


Row = Sequence[Cell | str | datetime]


def show(label: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """A table under these titles. ``label`` names it to screen readers."""
    frame = pd.DataFrame([[_shown(one) for one in row] for row in rows], columns=list(map(verbatim, columns)))
    st.table(frame, border="horizontal", hide_index=True, alt=label)


def _shown(one: Cell | str | datetime) -> str:
    if isinstance(one, datetime):
        return session.clock(one)
    return one.markdown() if isinstance(one, Cell) else verbatim(one)
