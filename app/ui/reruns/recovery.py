"""A page that met no database draws itself again once there is one."""

from __future__ import annotations

import streamlit as st

from app import session
from slim_core.errors import SlimError

EVERY_S = 3


def when_the_database_is_back() -> None:
    """Draw the page again as soon as the database answers; nothing where it does, and another trouble was met."""
    if not _is_back():
        _try_again()


@st.fragment(run_every=EVERY_S)
def _try_again() -> None:
    if _is_back():
        st.rerun()
    st.caption(f"This page tries again every {EVERY_S} seconds.")


def _is_back() -> bool:
    try:
        return session.whole_store().database.answers()
    except SlimError:  # it has not been opened yet
        return False
