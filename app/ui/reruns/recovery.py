"""A page that met no database, or no queue, draws itself again once there is one."""

from __future__ import annotations

import streamlit as st

from app import session
from slim_core.errors import SlimError

EVERY_S = 3


def when_the_database_is_back() -> None:
    """Draw the page again as soon as the database answers; nothing where it does, and another trouble was met."""
    if not _is_back():
        _try_again()


def when_the_queue_is_back() -> None:
    """The same of Redis: what a press has saved meanwhile is shown then, and no longer that it waits for Redis."""
    if not _takes_runs():
        _follow_queue()


@st.fragment(run_every=EVERY_S)
def _try_again() -> None:
    if _is_back():
        st.rerun()
    st.caption(f"This page tries again every {EVERY_S} seconds.")


@st.fragment(run_every=EVERY_S)
def _follow_queue() -> None:
    if _takes_runs():
        st.rerun()


def _is_back() -> bool:
    try:
        return session.whole_store().database.answers()
    except SlimError:  # it has not been opened yet
        return False


def _takes_runs() -> bool:
    try:
        return session.whole_queue().silence() is None
    except SlimError:  # the database is away by now
        return False
