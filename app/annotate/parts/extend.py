"""Add images to a running campaign: those whose answers would help most now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import campaign_actions
from app.services.results import space_data
from app.ui import reruns
from app.ui.images import pictures
from app.ui.messages import errors_shown
from slim_core.annotation.plan import most_helpful
from slim_core.formatting import counted

if TYPE_CHECKING:
    from slim_core.store import Campaign

PROPOSED = 12
SHOWN = 12


def show(campaign: Campaign) -> None:
    """How many more, a preview, and the button that adds them."""
    if campaign.status != "open":
        return
    with st.expander("Add images", icon=":material/add:"):
        left = campaign.n_split - sum(campaign.budgets.values())
        if left < 1:
            st.caption("Every image of the split is in this campaign.")
            return
        st.caption("The images with the most uncertain scores, far from those already in the campaign.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            n = int(st.number_input("Images", 1, left, min(PROPOSED, left), key="extend-n", width=140))
            previewed = st.button("Preview", key="extend-look")
            pressed = reruns.button_once(f"Add {counted(n, 'image')}", type="primary", key="extend")
        with errors_shown():
            if pressed:
                campaign_actions.extend(campaign, n)
                st.rerun()
            if previewed:
                _preview(campaign, n)


def _preview(campaign: Campaign, n: int) -> None:
    data = space_data.load(str(campaign.space_run_id))
    found = most_helpful(session.store(), campaign, n)
    names = [data.table.label_names[label] for label in found.labels[:SHOWN]]
    pictures.strip(data.dataset, found.rows[:SHOWN].tolist(), names, data.maps)
