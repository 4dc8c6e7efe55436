"""Curate on the page: choices on the left, what they give on the right, and the button that queues it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.curate import forms
from app.curate.parts import subset as subset_view
from app.services import subset
from app.services.results import space_data
from app.ui import next_step, roles
from app.ui.messages import errors_shown
from app.ui.runs import submit
from app.ui.tables import halves

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run


def show(space: Run, campaign: Campaign | None) -> None:
    """The preview follows every change; nothing is kept before the button is pressed."""
    data = space_data.load(space.id)
    controls, results = st.columns([3, 7], gap="large")
    with controls:
        choice = forms.show(data, campaign.id if campaign else None)
        dataset = space.dataset_id
        submit.button(
            "Curate this subset", lambda: choice.spec(dataset), dataset=dataset, key="submit-curate", icon="filter_alt"
        )
    with results, errors_shown():
        if choice.needs_answers and campaign is None:
            ask = roles.can("lead", "open a campaign about some images")
            st.info(f"This strategy needs answers: {ask}. Or choose another strategy.")
            next_step.link("annotate", "Annotate", dataset=space.dataset_id, space=space.id)
            return
        _preview(data, choice)


def _preview(data: space_data.SpaceData, choice: subset.Choice) -> None:
    with st.spinner("Choosing images ..."):
        chosen = subset.preview(choice)
    left, right = halves(data.groups.names, gap="medium")
    with left:
        st.markdown("**Propagated score**", help=subset_view.about_scores(chosen))
        if choice.uses_answers and choice.campaign is not None:
            subset_view.show_scores(data, chosen)
        else:
            st.caption("No answers are used." if choice.uses_answers else "This strategy uses no answers.")
    with right:
        st.markdown("**Groups before and after**", help="Share of images in each group.")
        subset_view.show_balance(data, chosen)
    subset_view.show(data, chosen)
