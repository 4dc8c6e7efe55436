"""Charts: how every one is drawn, and those of what is under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from app.routes.assets import static

_HIDDEN = f"<i></i><style>{static('ui/live.css').read_text()}</style>"  # a style alone would be no part of the page


def show(figure: go.Figure, *, key: str, alt: str, toolbar: bool = False, **options: Any) -> None:
    """A chart as wide as its column; ``toolbar``: with Plotly's buttons over it.

    ``figure`` has its height in pixels; ``alt``: what a screen reader reads out; ``options`` as of st.plotly_chart.
    """
    config = {"displayModeBar": toolbar, "displaylogo": False}
    place = st.container(key=f"chart-{key}", height=figure.layout.height, border=False)
    place.plotly_chart(figure, key=key, alt=alt, config=config, **options)


def live(figure: go.Figure, *, key: str, alt: str) -> None:
    """A chart of what is under way, drawn again every second or so; otherwise as ``show``, and never blank.

    Streamlit makes a chart anew where its figure is another one, and shows nothing while the browser draws it. So two
    charts share the room: the new one is drawn behind the one before it, and seen from the next call on.
    """
    drawn = st.session_state.setdefault(f"live-{key}", _Live())
    drawn.take(figure)
    with st.container(key=f"live-{key}"):
        for place, one in enumerate(drawn.figures):
            with st.container(key=f"place-{place}-{key}"):
                if one is not None:
                    show(one, key=f"{place}-{key}", alt=alt)
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
