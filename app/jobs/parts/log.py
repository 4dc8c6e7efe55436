"""The log of a run: its end, which is followed while the run is active; older lines on request; the whole as a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.ui import download

if TYPE_CHECKING:
    from slim_core.store import Run

LINES = 200  # shown at first, and added by each request for older ones
_BLOCK = 64 * 1024  # bytes read at once, from the end backwards
_LARGEST = 4 * 1024 * 1024  # bytes that are looked through at most, so that a page never reads a huge file
HEIGHT = 320  # pixels
SHORT = 12  # lines of a finished log that needs no box


@dataclass(frozen=True)
class Tail:
    """The last lines of a file. ``whole``: there are no others."""

    text: str
    whole: bool


def tail(path: Path, lines: int) -> Tail:
    """The last ``lines`` lines of a text file, read from its end: a log of gigabytes costs as little as a short one."""
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        begin_at = max(0, position - _LARGEST)
        found = b""
        while position > begin_at and found.count(b"\n") <= lines:
            size = min(_BLOCK, position - begin_at)
            position -= size
            file.seek(position)
            found = file.read(size) + found
    found_lines = found.splitlines(keepends=True)
    text = b"".join(found_lines[-lines:]).decode(errors="replace")
    return Tail(text, whole=position == 0 and len(found_lines) <= lines)


def show(run: Run) -> None:
    """The end of the log; a long one, or one that grows, in a box that keeps to its end."""
    path = session.store().artifacts.log(run.id)
    if path is None:
        st.caption(_missing(run))
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
        st.code(end.text or "Nothing has been logged yet.", language=None, wrap_lines=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        if not end.whole:
            older = {"key": f"older-{run.id}", "on_click": _more, "args": (wanted,)}
            st.button("Older lines", icon=":material/expand_less:", **older)
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
    return path.read_bytes() if path else b""


def _missing(run: Run) -> str:
    if run.attempt == 0:
        return "There is no log: the run has not started."
    if run.ended:
        return "There is no log. Its files were removed, or are on the machine of its worker."
    return "The log is on the machine of its worker until the run ends."
