"""The one button that brings what was drawn into the scores of finished runs."""

from __future__ import annotations

import streamlit as st

from app import session
from app.services import scoring
from app.ui.messages import errors_shown
from slim_core.percent import counted

HELP = "Evaluations and attention maps of this data set. Maps that were kept are taken over: no model is run again."


def show(dataset: str) -> None:
    """How many finished runs know other shapes, and the button; nothing where none does."""
    behind = scoring.outdated(dataset)
    if not behind:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        were = "was" if len(behind) == 1 else "were"
        st.markdown(f"{counted(len(behind), 'run')} {were} scored before the last drawing.", width="stretch")
        if not session.viewer().may("lead"):
            st.caption("A lead can score them again.", width="content")
        elif st.button("Score again", icon=":material/calculate:", key="score-again", help=HELP):
            with errors_shown():
                runs = scoring.score_again(behind)
                st.toast(f"{counted(len(runs), 'run')} queued: see the Jobs page.", icon=":material/check:")
                st.rerun()  # the box has done its work
