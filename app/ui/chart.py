"""Charts: every one goes through here, so that the code that draws them keeps nothing else on a page waiting.

That code is the largest the browser has to read, and while it does it paints nothing. So the first charts of a visit
are sent when the browser says that all else on the page is painted; the room they need is kept, and nothing moves when
they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from app import deferred_charts, session
from app.routes.assets import static
from app.routes.base_path import below

MOST_S = 1.5  # the wait where no report comes: a tab in the background, a report that went to another server process
_HIDDEN = f"<i></i><style>{static('ui/live.css').read_text()}</style>"  # a style alone would be no part of the page
_READ = "chart-code-read"  # in the session's state: this tab has charts already
_PLACE = "after-the-page"  # takes no room; app/ui/static/page.css
_waiting: ContextVar[list[Callable[[], Any]] | None] = ContextVar("waiting", default=None)
_mount = st.components.v2.component("slim_painted", html="<i></i>", js=static("ui/painted.js").read_text())


def show(figure: go.Figure, *, key: str, alt: str, toolbar: bool = False, **options: Any) -> None:
    """A chart as wide as its column; ``toolbar``: with Plotly's buttons over it.

    ``figure`` has its height in pixels; ``alt``: what a screen reader reads out; ``options`` as of st.plotly_chart.
    """
    config = {"displayModeBar": toolbar, "displaylogo": False}
    place = st.container(key=f"chart-{key}", height=figure.layout.height, border=False)
    draw = partial(place.plotly_chart, figure, key=key, alt=alt, config=config, **options)
    waiting = _waiting.get()
    if waiting is None or _READ in st.session_state:
        draw()
    else:
        waiting.append(partial(copy_context().run, draw))  # outside the page that asks, the chart would have another id


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


@contextmanager
def last() -> Iterator[None]:
    """Around a page: the first charts of a visit are sent at its end.

    Streamlit sends nothing after st.stop(): a page that stops early has to do so before its charts.
    """
    waiting: list[Callable[[], Any]] = []
    token = _waiting.set(waiting)
    try:
        yield
        if waiting:
            _until_painted()
            st.session_state[_READ] = True
        for draw in waiting:
            draw()
    finally:
        _waiting.reset(token)


def _until_painted() -> None:
    """Wait until the browser reports that it has painted all that was sent so far."""
    with deferred_charts.awaited() as page, st.container(key=_PLACE):
        _mount(key="painted", data={"page": page.id, "url": below("/api/painted"), "token": session.token()})
        page.painted.wait(MOST_S)
