"""The verdict as every page shows it: one sentence in the size of a headline, whose colour is that of its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from slim_core.evaluation.verdict import Answer

if TYPE_CHECKING:
    from slim_core.evaluation.verdict import Verdict

# answer -> (icon, colour): the icons differ too, for those who see no difference between the colours
SHOWN = {
    Answer.BETTER: ("verified", "green"),
    Answer.WORSE: ("trending_down", "red"),
    Answer.INCONCLUSIVE: ("help", "gray"),
    Answer.NOTHING_TO_FIX: ("task_alt", "gray"),
    Answer.NOT_COMPARABLE: ("compare_arrows", "gray"),
}


def show(found: Verdict) -> None:
    """Across the page."""
    icon, colour = SHOWN[found.answer]
    with st.container(key="verdict"):  # page.css makes it large
        st.markdown(f":{colour}[:material/{icon}:] {found.sentence}")
