"""That the queue is paused, where work is submitted; and the two presses that pause and resume it."""

from __future__ import annotations

import streamlit as st

from app import session
from app.services import actions
from app.ui.escape import prose
from app.ui.messages import errors_shown


def show() -> None:
    """One sentence with who and when, and for leads the way on; nothing where nobody has paused it."""
    pause = session.store().queue.paused()
    if pause is None:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="queue-paused"):
        st.markdown(f":orange[:material/pause_circle:] {prose(pause)}", width="stretch")
        if session.viewer().may("lead") and st.button("Resume", icon=":material/play_arrow:", key="queue-resume"):
            with errors_shown():
                actions.resume_queue()
                st.rerun()


def button() -> None:
    """For leads: no worker takes new work from now on."""
    if not session.viewer().may("lead") or session.store().queue.paused():
        return
    about = "Workers start no new run until the queue is resumed. Running jobs continue, and new ones can be submitted."
    if st.button("Pause the queue", icon=":material/pause:", help=about, key="queue-pause"):
        with errors_shown():
            actions.pause_queue()
            st.rerun()
