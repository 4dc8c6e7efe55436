"""Annotate: is the attention right? One key an image."""

import streamlit as st

from app import session
from app.components import (
    agreement_view,
    annotate_sections,
    annotation,
    campaign_form,
    campaign_next,
    campaign_overview,
    next_step,
    pick,
)
from app.components.annotate_sections import AGREEMENT, ANSWER, CAMPAIGN, NEW
from app.components.telling import errors_told
from app.glossary import explain

st.title("Annotate", help=explain("campaign", "candidate", "answer"))

store = session.store()
with st.container(horizontal=True):
    dataset = pick.dataset()
    campaigns = store.campaigns.all(dataset.id) if dataset else []
    campaign = pick.campaign("Campaign", campaigns)

spaces = store.runs.all(kind="space", status="done", dataset=dataset.id, metrics=False) if dataset else []
if dataset is None:
    next_step.needs_data(
        "People say here, with one key an image, whether a model looks at the right thing: register data first."
    )
elif campaign is None and not spaces:
    st.info("The images people are asked about are chosen in an attention space, and this data set has none yet.")
    next_step.show("build an attention space, to choose images from.", "space", "Space", dataset=dataset.id)
else:
    section = annotate_sections.choose(campaign)
    with errors_told():
        if section == NEW:
            space = pick.run("Space", spaces, param="space")
            if space is not None:
                campaign_form.show(space)
        elif campaign is not None:
            shown = {ANSWER: annotation.show, CAMPAIGN: campaign_overview.show, AGREEMENT: agreement_view.show}
            shown[section](campaign)
    campaign_next.show(campaign, section)
