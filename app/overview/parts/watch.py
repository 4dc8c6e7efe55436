"""Notices what others begin: while nothing runs here, one small query every few seconds, and the page follows."""

from __future__ import annotations

import streamlit as st

from app import session
from app.ui.reruns.fragment import fragment

State = tuple[tuple[tuple[str, int], ...], int]


def for_news() -> None:
    """Draw the page again when a data set or a run appears or ends; call it where nothing on the page polls."""
    _look(_state())


@fragment(run_every=4)
def _look(known: State) -> None:
    if _state() != known:
        st.rerun()


def _state() -> State:
    """How many runs have each status, and how many data sets there are."""
    store = session.store()
    return tuple(sorted(store.runs.counts().items())), len(store.datasets.all())
