"""Annotate: is the attention right? One key per image."""

import streamlit as st

from app import session
from app.annotate import agreement, annotator, forms, manage, overview, sections
from app.annotate.sections import AGREEMENT, ANSWER, CAMPAIGN, NEW
from app.ui import next_step, pick, submit
from app.ui.messages import errors_shown, explain

st.title("Annotate", help=explain("campaign", "candidate", "answer"))

store = session.store()
with st.container(horizontal=True):
    dataset = pick.dataset()
    campaigns = store.campaigns.all(dataset.id) if dataset else []
    campaign = pick.campaign("Campaign", campaigns)

spaces = store.runs.all(kind="space", status="done", dataset=dataset.id, metrics=False) if dataset else []
if dataset is None:
    next_step.needs_data(
        "Annotators say here, with one key per image, whether the model looks at the right thing. Register data first."
    )
elif (section := sections.choose(campaign) if campaign or spaces else NEW) == NEW and not spaces:
    missing = "The images of a campaign are chosen in an attention space. This data set has none yet."
    submit.show_needed(
        dataset.id, ("space",), missing, "build an attention space, to choose images from.", "space", "Space"
    )
else:
    with errors_shown():
        if section == NEW:
            space = pick.run("Space", pick.of_train_first(spaces), param="space")
            if space is not None:
                forms.show(space)
        elif campaign is not None and (section != ANSWER or next_step.offers("annotator", "Answering")):
            shown = {ANSWER: annotator.show, CAMPAIGN: overview.show, AGREEMENT: agreement.show}
            shown[section](campaign)
    sections.show_next(campaign, section, has_spaces=bool(spaces))

if campaign is None:
    manage.show_members()  # with one they are in its part: roles are assigned before there is anything to answer
