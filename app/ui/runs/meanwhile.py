"""What begins or ends while a page is drawn: the page has read some of it before that, and some after.

A part that polls knows of it and waits for the next change. Where none comes, the page would stay as it is: nobody has
told its other parts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import streamlit as st

from app import session
from app.ui.reruns.fragment import fragment

PAUSE_S = 1.0  # a page that was drawn again at once, for runs that change each second, would never be drawn whole
_before: ContextVar[Mapping[str, tuple[str, str, str]] | None] = ContextVar("slim-runs-before", default=None)


@contextmanager
def noticed() -> Iterator[None]:
    """Around one run of a page: what is under way before it reads anything."""
    token = _before.set(session.store().runs.under_way())
    try:
        yield
    finally:
        _before.reset(token)


def follow(dataset: str | None, kind: str | None) -> None:
    """Draw the page once more, a moment after it is whole, where a run under way has begun or ended since it began.

    ``dataset``, ``kind``: whose runs are meant, and which; None: all.
    """
    before = _before.get()
    if not before:  # or a fragment is drawn by itself
        return
    now = session.store().runs.under_way()
    changed = [about for run, about in before.items() if now.get(run) != about]
    if any(dataset in (None, one) and kind in (None, its_kind) for one, its_kind, _ in changed):
        _draw_again(time.monotonic())


@fragment(run_every=PAUSE_S)
def _draw_again(asked: float) -> None:
    """``asked``: when, by the clock of this process; the first drawing is that of the page itself."""
    if time.monotonic() - asked >= PAUSE_S:
        st.rerun()
