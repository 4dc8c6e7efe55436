"""The box of a choice that a link, or something new, may change while it is on the page."""

from __future__ import annotations

import streamlit as st

from app.ui.reruns import visit


def key(name: str, shown: object) -> str:
    """The key of the widget that is drawn next, which shows this; ``name``: of the choice.

    Where it showed something else on this visit, not by its own change, it is another one: what a browser that has not
    heard of that yet reports of the one before (a second press, a poll) is nobody's choice.
    """
    other = f"{name}-other"
    visited, known = st.session_state.get(f"box-{name}", (None, name))
    if visited != visit.number():
        known = name
    elif st.session_state.get(known, shown) != shown:
        known = other if known == name else name
    st.session_state[f"box-{name}"] = visit.number(), known
    st.session_state[known] = shown
    return str(known)


def is_there(name: str, key: str) -> bool:
    """Whether a change is of the widget that is on the page now."""
    return bool(st.session_state[f"box-{name}"][1] == key)
