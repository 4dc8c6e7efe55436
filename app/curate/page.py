"""Curate: from the answers to a small, balanced subset, and a model retrained on it."""

import streamlit as st

from app import session
from app.curate.view import show_curation
from app.ui import export, next_step, pick, run_state, submit, training
from app.ui.messages import errors_shown, explain

st.title("Curate", help=explain("propagation", "trusted image", "cell", "subset"))

store = session.store()
left, middle, right = st.columns(3)
with left:
    dataset = pick.dataset()
with middle:
    spaces = store.runs.all(kind="space", status="done", dataset=dataset.id) if dataset else []
    campaigns = store.campaigns.all(dataset.id) if dataset else []
    space = pick.space_of_campaign("Space", [one for one in spaces if one.spec["split"] == "train"], campaigns)
with right:
    campaign = pick.campaign("Campaign", [one for one in campaigns if space and one.space_run_id == space.id])

if dataset is None:
    next_step.needs_data("A subset of the training images is curated from answers. Register data first.")
    st.stop()
if space is None:
    missing = "Curation needs an attention space of the training images, and this data set has none yet."
    todo = "build an attention space of the training images."
    submit.show_needed(
        dataset.id, ("space",), missing, todo, "space", "Space", fits=lambda run: run.spec["split"] == "train"
    )
    st.stop()

controls, results = st.columns([3, 7], gap="large")
with errors_shown():
    show_curation(space, campaign, controls, results)

subset = None
subsets = [one for one in store.runs.children(space.id) if one.kind == "curate" and one.status == "done"]
if subsets:
    if made := submit.take_made("submit-curate", {one.id for one in subsets}):
        pick.take("subset", made)  # else the button below would retrain on the subset before it
    with controls:
        st.subheader("Retrain on a subset", anchor=False)
        subset = pick.run("Subset", subsets[::-1], param="subset", width="stretch")
        if subset is not None:
            with errors_shown():
                training.show_retraining(subset)
            with st.container(horizontal=True):
                export.show([subset])
                run_state.show_described(subset.id, subset.name)
if subset is not None:
    with errors_shown():
        training.show_retrained(subset)
elif not subsets:
    shown = space.id
    todo = next_step.can("lead", "press *Curate this subset*, then retrain a model on it.")
    meanwhile = "wait for the subset; you can close this page. Then retrain a model on it here."
    submit.needed_here(
        space.dataset_id, "curate", "submit-curate", todo, meanwhile,
        fits=lambda run: bool(run.spec["space"] == shown),
    )  # fmt: skip
