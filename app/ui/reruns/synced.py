"""Widgets that show what is stored, where others may change it meanwhile."""

from __future__ import annotations

from typing import Any

import streamlit as st


def sync(key: str, stored: object) -> str:
    """Let the widget that is drawn next under this key show what is stored, unless it was changed here; the key.

    A keyed widget keeps the value it was first drawn with. Whoever saved a form, of which they had changed one field,
    would write the others back as they were when the page was opened, whatever somebody else has made of them since.
    Of a list it is each entry that is changed, here or by somebody else.

    What is set is sent, and takes away what is being typed: the browser tells of that only once it is left or saved.
    """
    known = _known(key)
    before, shown = st.session_state.get(known), st.session_state.get(key)
    if key not in st.session_state or (shown == before != stored):
        st.session_state[key] = stored
    elif isinstance(stored, list) and shown != stored != before:
        st.session_state[key] = _merged(before or [], stored, shown or [])
    elif shown != stored:
        return key
    st.session_state[known] = stored
    return key


def overtaken(key: str, stored: object) -> bool:
    """Whether somebody else has meanwhile changed, too, what was changed here: once, for it may be meant then."""
    before = st.session_state.get(_known(key), stored)
    st.session_state[_known(key)] = stored
    return bool(before != stored)


def saved(*keys: str) -> None:
    """What these widgets hold is stored now: they show it next as it was stored, such as without its spaces."""
    for key in keys:
        st.session_state[_known(key)] = st.session_state[key]


def _known(key: str) -> str:
    return f"{key}-stored"


def _merged(before: list[Any], stored: list[Any], shown: list[Any]) -> list[Any]:
    """What is stored, with what was added to ``before`` here and without what was taken out of it here."""
    kept = [one for one in stored if one in shown or one not in before]
    return kept + [one for one in shown if one not in before and one not in stored]
