"""What a finished run could not do, or did otherwise than one expects: the notes of its report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app.ui.escape import prose

if TYPE_CHECKING:
    from slim_core.store import Run

FEW = 3  # notes that are shown one by one


def of(run: Run) -> Sequence[str]:
    """The notes of a run with its metrics, if it has any."""
    found: Sequence[str] = (run.metrics or {}).get("report", {}).get("notes", ())
    return found


def show(notes: Sequence[str]) -> None:
    """Each as its sentence; of many the first, and the rest on demand."""
    for note in notes if len(notes) <= FEW else notes[:1]:
        st.warning(prose(note), icon=":material/warning:")
    if len(notes) > FEW:
        with st.expander(f"{len(notes) - 1} more notes", icon=":material/warning:"):
            st.markdown("\n".join(f"- {prose(note)}" for note in notes[1:]))
