"""The parts of the annotate page, of which one is drawn at a time: a large campaign opens as fast as a small one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.ui.choosing import kept

if TYPE_CHECKING:
    from slim_core.store import Campaign

ANSWER, ENVIRONMENTS, CAMPAIGN, AGREEMENT = "Answer", "Environments", "Campaign", "Agreement"
NEW = "Open a new campaign"
KEY, SEEN = "annotate-section", "annotate-section-of"
PARAM = "section"
_LINKS = {  # ?section=
    "answer": ANSWER,
    "environments": ENVIRONMENTS,
    "campaign": CAMPAIGN,
    "agreement": AGREEMENT,
    "new": NEW,
}


def choose(campaign: Campaign | None) -> str:
    """The part that is open, which the address names (?section); another campaign starts with its answers."""
    linked = _LINKS.get(kept.followed(PARAM) or "")
    if campaign is None:
        return NEW
    parts = (ANSWER, ENVIRONMENTS, CAMPAIGN, AGREEMENT) + ((NEW,) if session.viewer().may("lead") else ())
    if st.session_state.get(SEEN) != campaign.id or linked or st.session_state.get(KEY) not in parts:
        st.session_state[KEY] = linked if linked in parts else ANSWER
        st.session_state[SEEN] = campaign.id
    st.segmented_control("Part", parts, key=KEY, label_visibility="collapsed", required=True)
    section = str(st.session_state[KEY])
    kept.keep(PARAM, next(slug for slug, one in _LINKS.items() if one == section))
    return section
