"""Notices what others begin: while nothing runs here, one small query every few seconds, and the page follows."""

from __future__ import annotations

import streamlit as st

from app import session
from app.ui.reruns import fragment

State = tuple[tuple[tuple[str, int], ...], int]


def state(dataset: str | None = None) -> State:
    """How many runs (of a data set) have each status, and how many data sets there are."""
    store = session.store()
    return tuple(sorted(store.runs.counts(dataset).items())), len(store.datasets.all())


@fragment(run_every=4)
def for_news(known: State, dataset: str | None = None) -> None:
    """Draw the page again when a data set or a run appears or ends; call it last, where nothing on the page polls.

    ``known``: the state before the page read what it shows. What ends while it is drawn is news, too: one part of the
    page would know of it and another would not, and nothing would come to tell them.
    """
    if state(dataset) != known:
        st.rerun()
