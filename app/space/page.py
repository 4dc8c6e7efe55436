"""Space: every image as a point, near the images of which the model sees the same."""

import streamlit as st

from app import session
from app.space.view import show_next, show_space
from app.ui import export, next_step, pick, submit
from app.ui.messages import errors_shown, explain
from slim_core.parameters import parameters
from slim_core.steps.specs import STEPS
from slim_core.store.runs.rows import PASSES

st.title("Space", help=explain("attention space", "environment space"))

store = session.store()
with st.container(horizontal=True, vertical_alignment="bottom"):
    dataset = pick.dataset(width="stretch")
    runs = store.runs.all(kind="space", status="done", dataset=dataset.id, metrics=False) if dataset else []
    run = pick.run("Space", pick.of_train_first(runs if dataset else []), width="stretch")
    features = store.runs.find(run.spec["attention"]) if run else None
    if features is not None:
        export.show([features], ("features",), "Export features")

if dataset is not None and run is not None:
    with errors_shown():
        campaigns = [one for one in store.campaigns.all(dataset.id) if one.space_run_id == run.id]
        subsets = [one for one in store.runs.children(run.id) if one.kind == "curate" and one.status == "done"]
        show_space(run, campaigns, subsets[::-1])

passes = (
    [one for kind in PASSES for one in store.runs.all(kind=kind, status="done", dataset=dataset.id)] if dataset else []
)
if dataset is None:
    next_step.needs_data(
        "A space shows each image as a point, close to images with similar attention. Register data first."
    )
elif not passes:
    missing = "A space is built from attention maps, and this data set has none yet."
    submit.show_needed(dataset.id, PASSES, missing, "compute the attention maps of a model.", "attention", "Attention")
elif session.viewer().may("lead"):
    with st.expander("Build a space", expanded=run is None, icon=":material/scatter_plot:"):
        attention = pick.run("Attention maps", passes, param="attention")
        assert attention is not None  # there are passes
        spec = STEPS["space"].spec
        split = submit.field(parameters(spec)["split"], "train", key="space", segmented=True)
        fields = submit.fields(submit.form_parameters(spec, without=("kind", "split")), {}, key="space") | {
            "split": split
        }
        asked = {"kind": "space", "dataset": dataset.id, "attention": attention.id, **fields}
        submit.button("Build the space", lambda: asked, dataset=dataset.id, key="submit-space")
if run is not None:
    show_next(run)
elif dataset is not None and passes:
    todo = next_step.can("lead", "press *Build the space*. Every image appears here as a point.")
    meanwhile = "wait for the space; you can close this page. Every image appears here as a point."
    submit.needed_here(dataset.id, "space", "submit-space", todo, meanwhile)
