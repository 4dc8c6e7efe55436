"""The log of a run: its end, which is followed while the run is active; older lines on request; the whole as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.ui import download
from app.ui.messages import for_reader
from slim_core.store.runs.log import tail, why_missing

if TYPE_CHECKING:
    from slim_core.store import Run

LINES = 200  # shown at first, and added by each request for older ones
HEIGHT = 320  # pixels
SHORT = 12  # lines of a finished log that needs no box


def show(run: Run) -> None:
    """The end of the log; a long one, or one that grows, in a box that keeps to its end."""
    path = session.store().artifacts.log(run.id)
    if path is None:
        st.caption(why_missing(run))
        return
    wanted = f"log-lines-{run.id}"
    lines = st.session_state.get(wanted, LINES)
    try:
        end = tail(path, lines)
    except OSError as error:  # removed, or moved by its worker, a moment ago
        st.caption(f"The log cannot be read now ({error.strerror}).")
        return
    short = run.ended and end.text.count("\n") <= SHORT
    with st.container(height="content" if short else HEIGHT, autoscroll=True, border=False, key=f"log-{run.id}"):
        st.code(for_reader(end.text) or "Nothing has been logged yet.", language=None, wrap_lines=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        if not end.whole:
            st.button(
                "Older lines", icon=":material/expand_less:", key=f"older-{run.id}", on_click=_more, args=(wanted,)
            )
        download.button(
            "Download", lambda: _whole(run.id), f"{run.id}.log", "text/plain", icon="download",
            key=f"download-{run.id}", help="The whole log as a file.",
        )  # fmt: skip
        st.caption("The whole log." if end.whole else f"The last {lines:,} lines.")


def _more(wanted: str) -> None:
    st.session_state[wanted] = 4 * st.session_state.get(wanted, LINES)


def _whole(run_id: str) -> bytes:
    """Read when the button is pressed: a finished run's log lies elsewhere than that of one under way."""
    path = session.store().artifacts.log(run_id)
    return for_reader(path.read_text(errors="replace")).encode() if path else b""
