"""Widgets that show what is stored, where others may change it meanwhile."""

from __future__ import annotations

import streamlit as st


def sync(key: str, stored: object) -> str:
    """Let the widget that is drawn next under this key show what is stored, unless it was changed here; the key.

    A keyed widget keeps the value it was first drawn with. Whoever saved a form, of which they had changed one field,
    would write the others back as they were when the page was opened, whatever somebody else has made of them since.
    """
    known = f"{key}-stored"
    if st.session_state.get(key) in (st.session_state.get(known), stored) or key not in st.session_state:
        st.session_state[key] = st.session_state[known] = stored
    return key
