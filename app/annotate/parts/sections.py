"""The parts of the annotate page, of which one is drawn at a time: a large campaign opens as fast as a small one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.ui import reruns
from app.ui.choosing import pick, url_state

if TYPE_CHECKING:
    from slim_core.store import Campaign

ANSWER, CAMPAIGN, AGREEMENT = "Answer", "Campaign", "Agreement"
NEW = "Open a new campaign"
KEY = "annotate-section"
OPEN = "annotate-section-open"  # of the session: (visit, campaign), and the part that is open in it
PARAM = "section"
_LINKS = {  # ?section=
    "answer": ANSWER,
    "campaign": CAMPAIGN,
    "agreement": AGREEMENT,
    "new": NEW,
}


def choose(campaign: Campaign | None) -> str:
    """The part that is open, which the address names (?section); another campaign starts with its answers."""
    linked = _LINKS.get(url_state.read_link(PARAM) or "")
    if campaign is None:
        return NEW
    parts = (ANSWER, CAMPAIGN, AGREEMENT) + ((NEW,) if session.viewer().may("lead") else ())
    about = reruns.visit_number(), campaign.id
    seen, section = st.session_state.get(OPEN, (None, ANSWER))
    if seen != about or linked or section not in parts:
        section = linked if linked in parts else ANSWER
    st.session_state[OPEN] = about, section
    key = pick.box_key(KEY, section)
    st.segmented_control(
        "Part", parts, key=key, label_visibility="collapsed", required=True, on_change=_open, args=(key,)
    )
    url_state.keep(PARAM, next(slug for slug, one in _LINKS.items() if one == section))
    return str(section)


def _open(key: str) -> None:
    if pick.is_shown_box(KEY, key):
        about, _ = st.session_state[OPEN]
        st.session_state[OPEN] = about, st.session_state[key]
