"""Asking people about the selected images: a new campaign, or more items for one that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np
import streamlit as st

from app import session
from app.services.results.space_data import SpaceData
from app.ui import next_step
from app.ui.escape import verbatim
from slim_core.formatting import counted

if TYPE_CHECKING:
    from slim_core.store import Campaign


def show(data: SpaceData, selected: np.ndarray, campaign: Campaign | None) -> None:
    """A way to the form of a new campaign, which takes the selection from the session, and a button to extend."""
    st.markdown(f"Ask annotators about **{counted(len(selected), 'selected image')}**.")
    if st.button("Open a new campaign", key="space-campaign", type="primary", icon=":material/campaign:"):
        open_campaign(data)
    if campaign is None or campaign.status != "open":
        return
    new = not_asked(data, selected, campaign)
    images = counted(len(new), "image")
    if st.button(f"Add {images} to {verbatim(campaign.name)}", key="space-extend", disabled=not len(new)):
        session.store().campaigns.extend(campaign.id, new, by=session.acting_as("lead"))
        st.session_state["space-said"] = f"{images} added to {verbatim(campaign.name)}."
        st.rerun()


def open_campaign(data: SpaceData) -> NoReturn:
    """Open the form of a campaign about the selection."""
    st.session_state[f"campaign-choice-{data.run}"] = "selection"  # what the form begins with
    next_step.go_to("annotate", dataset=data.dataset, space=data.run, section="new")


def not_asked(data: SpaceData, selected: np.ndarray, campaign: Campaign) -> np.ndarray:
    """Rows of the selected images that the campaign does not ask about yet."""
    asked = [item.row for item in session.store().campaigns.items(campaign.id)]
    return np.setdiff1d(data.rows[selected], asked)
