"""What is selected in a space: its counts, what can be done with it, and the images themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from app import session
from app.services.results.space_data import SpaceData
from app.space.parts import answers, ask_annotators, counts, export, filters, strip, tags
from app.space.parts.colours import ShownSpace
from app.ui.messages import errors_shown
from slim_core.formatting import counted

if TYPE_CHECKING:
    from slim_core.store import Campaign

COUNTS_WIDTH = 440  # pixels


def show(data: SpaceData, selected: np.ndarray, campaign: Campaign | None) -> int | None:
    """Counts and images of the selected positions; counts of all images where nothing is selected.

    Returns the row whose image was opened just now.
    """
    title = counted(len(selected), "selected image") if len(selected) else "All images"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(title, anchor=False, width="stretch")
        _actions(data, selected, campaign)
    said = st.session_state.pop("space-said", None)
    if said:
        st.toast(said, icon=":material/check:")
    beside = st.container(horizontal=True, gap="large")
    with beside.container(width=COUNTS_WIDTH):
        counts.show(ShownSpace(data, campaign.id if campaign else None), selected)
    with beside.container():
        if len(selected):
            return strip.show(data, selected)
        st.caption("Draw a lasso around some points, or click a legend entry. The selected images appear here.")
    return None


def _answer_all(data: SpaceData, selected: np.ndarray, campaign: Campaign | None) -> None:
    why, none = answers.why_not(campaign), not len(selected)
    with st.popover("Answer all", icon=":material/done_all:", disabled=none or bool(why), help=why), errors_shown():
        if campaign is not None and not none:
            answers.show(data, selected, campaign)


def _actions(data: SpaceData, selected: np.ndarray, campaign: Campaign | None) -> None:
    none = not len(selected)
    with st.popover("Filter", icon=":material/filter_alt:", width="content"), errors_shown():
        filters.show(data)
    if session.viewer().may("lead"):
        with st.popover("Ask", icon=":material/campaign:", disabled=none), errors_shown():
            ask_annotators.show(data, selected, campaign)
    if session.viewer().may("annotator"):
        _answer_all(data, selected, campaign)
    with st.popover("Tag", icon=":material/label:"), errors_shown():
        tags.show(data, selected)
    with st.popover("Export", icon=":material/download:", disabled=none):
        export.show(data, selected, campaign.id if campaign else None)
