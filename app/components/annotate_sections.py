"""The parts of the annotate page, of which one is drawn at a time: a large campaign opens as fast as a small one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from slim_core.store import Campaign

ANSWER, CAMPAIGN, AGREEMENT, NEW = "Answer", "Campaign", "Agreement", "Open a new campaign"
KEY, SEEN = "annotate-section", "annotate-section-of"
_LINKS = {"answer": ANSWER, "campaign": CAMPAIGN, "agreement": AGREEMENT, "new": NEW}  # ?section=


def choose(campaign: Campaign | None) -> str:
    """The part the person looks at; another campaign, or a link, starts with its answers."""
    linked = _LINKS.get(st.query_params.pop("section", ""), None)
    if campaign is None:
        return NEW
    if st.session_state.get(SEEN) != campaign.id or linked or st.session_state.get(KEY) is None:
        st.session_state[KEY] = linked or ANSWER
        st.session_state[SEEN] = campaign.id
    st.segmented_control(
        "Part", (ANSWER, CAMPAIGN, AGREEMENT, NEW), key=KEY, label_visibility="collapsed", required=True
    )
    return str(st.session_state[KEY])
