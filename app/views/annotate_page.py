"""Annotate: is the attention right? One key an image."""

import streamlit as st

from app import session
from app.components import annotation, campaign_form, next_step, pick
from app.components.telling import errors_told

st.title("Annotate", help="Answers on a few images speak for all (METHOD, steps S3 and S4).")

store = session.store()
with st.container(horizontal=True):
    dataset = pick.dataset()
    campaigns = store.campaigns.all(dataset.id) if dataset else []
    campaign = pick.campaign("Campaign", campaigns)

if campaign is not None:
    with errors_told():
        annotation.show(campaign)

spaces = store.runs.all(kind="space", status="done", dataset=dataset.id, metrics=False) if dataset else []
if dataset is None:
    next_step.show("register a folder of images.", "data", "Data")
elif not spaces:
    next_step.show("build an attention space, to choose images from.", "space", "Space", dataset=dataset.id)
else:
    with st.expander("Open a new campaign", expanded=campaign is None, icon=":material/campaign:"):
        space = pick.run("Space", spaces, param="space")
        with errors_told():
            campaign_form.show(space)
