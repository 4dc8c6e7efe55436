"""A button for what a second press would do again: of a double click, or of somebody impatient.

A click that comes while the page still works on the one before is a press in its next run, where that draws the button.
"""

from __future__ import annotations

from typing import Any

import streamlit as st


def button(label: str, *, key: str, **options: Any) -> bool:
    """``st.button``, whose key is used up by a press before anything is done: a second click finds no such button."""
    turn = f"{key}-turn"
    presses = st.session_state.get(turn, 0)
    pressed = st.button(label, key=f"{key}-{presses}", **options)
    if pressed:
        st.session_state[turn] = presses + 1
    return pressed
