"""The one button that brings what was drawn into the scores of finished runs, and how far that is."""

from __future__ import annotations

import streamlit as st

from app.services.queueing import rescoring
from app.ui import roles
from app.ui.messages import errors_shown
from app.ui.runs import pipeline
from slim_core.formatting import counted

HELP = "Scores evaluations and attention maps of this data set again. Stored maps are reused, so no model runs."


def show(dataset: str) -> None:
    """Scoring that is under way, or how it ended; how many finished runs know other shapes, and the button."""
    pipeline.show(dataset, lambda one: one.kind == "scores")
    behind = rescoring.outdated(dataset)
    if not behind:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        were = "was" if len(behind) == 1 else "were"
        st.markdown(f"{counted(len(behind), 'run')} {were} scored before the last drawing.", width="stretch")
        if not roles.offers("lead", "Scoring again"):
            return
        if st.button("Score again", icon=":material/calculate:", key="score-again", help=HELP):
            with errors_shown():
                rescoring.score_again(behind)
                st.rerun()  # its progress is shown in place of this box
