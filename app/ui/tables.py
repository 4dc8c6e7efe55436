"""Tables and charts, each with its room: what people have written as it is written, moments by the reader's clock,
links to runs; and charts of what is under way.

A link to a run opens it in this tab and session (app/ui/static/address.js), and in another one as any link does.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import session
from app.routes.assets import static
from app.ui.messages import verbatim

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
    """A table under these titles; ``label`` names its container.

    One piece of Markdown: st.table makes one of each cell, so that 25 runs stood there half a second later.
    """
    lines = [list(map(verbatim, columns)), ["---"] * len(columns), *([_shown(one) for one in row] for row in rows)]
    with st.container(key=key_of(label)):
        st.markdown("\n".join(map(_line, lines)))


def key_of(label: str) -> str:
    """The key of the container of a table."""
    return f"table-{label.replace(' ', '-').replace(',', '').lower()}"


def _line(cells: Sequence[str]) -> str:
    """A plain bar would end a cell, also within code."""
    return "".join("| " + cell.replace("|", r"\|") + " " for cell in cells) + "|"


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


_HIDDEN = f"<i></i><style>{static('ui/live.css').read_text()}</style>"  # a style alone would be no part of the page


def show_chart(figure: go.Figure, *, key: str, alt: str, toolbar: bool = False, **options: Any) -> None:
    """A chart as wide as its column, with a download under the pointer; ``toolbar``: with all of Plotly's buttons.

    ``figure`` has its height in pixels; ``alt``: what a screen reader reads out; ``options`` as of st.plotly_chart.
    """
    config: dict[str, Any] = {"displaylogo": False, "toImageButtonOptions": {"filename": key, "scale": 2}}
    config |= {"displayModeBar": True} if toolbar else {"modeBarButtons": [["toImage"]]}
    place = st.container(key=f"chart-{key}", height=figure.layout.height, border=False)
    place.plotly_chart(figure, key=key, alt=alt, config=config, **options)


def live_chart(figure: go.Figure, *, key: str, alt: str) -> None:
    """A chart of what is under way, drawn again every second or so; otherwise as ``show_chart``, and never blank.

    Streamlit makes a chart anew where its figure is another one, and shows nothing while the browser draws it. So two
    charts share the room: the new one is drawn behind the one before it, and seen from the next call on.
    """
    drawn = st.session_state.setdefault(f"live-{key}", _Live())
    drawn.take(figure)
    with st.container(key=f"live-{key}"):
        for place, one in enumerate(drawn.figures):
            with st.container(key=f"place-{place}-{key}"):
                if one is not None:
                    show_chart(one, key=f"{place}-{key}", alt=alt)
        st.html(f'<i class="slim-seen-{drawn.seen}"></i>')
        st.html(_HIDDEN)


@dataclass
class _Live:
    """What is in the two places, and which of them is seen."""

    figures: list[go.Figure | None] = field(default_factory=lambda: [None, None])
    newest: int = 0
    seen: int = 0

    def take(self, figure: go.Figure) -> None:
        """The figure of now: another one than the newest goes into the place that is not seen."""
        self.seen = self.newest
        if self.figures[self.newest] not in (None, figure):
            self.newest = 1 - self.newest
        self.figures[self.newest] = figure
