"""Charts: every one goes through here, so that the code that draws them keeps nothing else on a page waiting.

That code is the largest the browser has to read, and while it does it paints nothing. So the first charts of a visit
are sent when all else on the page is sent and painted; the room they need is kept, and nothing moves when they come.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import plotly.graph_objects as go
import streamlit as st

PAUSE_S = 0.7  # in which the browser paints what it has (0.25 was measured to be too short)
_READ = "chart-code-read"  # in the session's state: this tab has charts already
_waiting: ContextVar[list[Callable[[], Any]] | None] = ContextVar("waiting", default=None)


def show(figure: go.Figure, *, key: str, alt: str, **options: Any) -> None:
    """A chart as wide as its column, without buttons over it.

    ``figure`` has its height in pixels; ``alt``: what a reader without eyes is told; ``options`` as of st.plotly_chart.
    """
    place = st.container(key=f"chart-{key}", height=figure.layout.height, border=False)
    draw = partial(place.plotly_chart, figure, key=key, alt=alt, config={"displayModeBar": False}, **options)
    waiting = _waiting.get()
    if waiting is None or _READ in st.session_state:
        draw()
    else:
        waiting.append(draw)


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
            time.sleep(PAUSE_S)
            st.session_state[_READ] = True
        for draw in waiting:
            draw()
    finally:
        _waiting.reset(token)
