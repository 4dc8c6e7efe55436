"""Visits: how often this session has come to a page, from another one or by loading it."""

from __future__ import annotations

import streamlit as st

_PAGE, _NUMBER = "visited-page", "visit"


def begin(page: str) -> None:
    """Another visit, where another page was shown before; call it before each run of a page, with its address."""
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE], st.session_state[_NUMBER] = page, number() + 1


def page() -> str | None:
    """The address of the page that is drawn, "" for the first one."""
    known: str | None = st.session_state.get(_PAGE)
    return known


def number() -> int:
    """The same in all runs of one visit."""
    return int(st.session_state.get(_NUMBER, 0))
