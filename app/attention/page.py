"""Attention: where a model looks, image by image and group by group."""

import streamlit as st

from app import session
from app.attention.forms import PARAM, show
from app.attention.view import show_maps, show_missing_maps, show_scores
from app.services.results import attention_scores
from app.ui import export, finder, next_step, pick, progress, reruns, run_state, submit
from app.ui.groups import ESTIMATED
from app.ui.messages import errors_shown, explain, verbatim
from slim_core.attention.config import ATTRIBUTIONS
from slim_core.evaluation.headlines import empty_maps

st.title("Attention", help=explain("attention map", "class of the map"))

with st.container(horizontal=True, vertical_alignment="bottom"):
    dataset = pick.dataset()
    passes = session.store().lineage.runs_with_maps(dataset.id) if dataset else []
    of_maps = [one for one in passes if one.kind == "gradcam"]
    run = pick.run("Attention maps", of_maps if dataset else [])
    if run is not None:
        export.show([run])

if dataset is not None:
    in_pipelines = progress.show_pipelines(
        dataset.id, lambda one: one.state == "active" and any(step.kind == "gradcam" for step in one.runs)
    )
    show_missing_maps(dataset.id, passes)
if dataset is not None and run is not None:
    if dataset.n_attributes == 0:
        st.caption(ESTIMATED)
    if (method := run.spec.get("method")) is not None:
        label = ATTRIBUTIONS[method].label if method in ATTRIBUTIONS else verbatim(str(method))
        st.caption(f"These maps are made by {label}.")
    whole = session.store().runs.fetch(run.id)
    run_state.show_notes(run_state.notes_of(whole))
    if said := empty_maps(whole):
        st.caption(said)
    with errors_shown():
        tabs = st.tabs(
            ["Gallery", "Clusters", "Scores per group"], key="attention-tab", on_change="rerun", bind="query-params"
        )
        with tabs[0]:
            if tabs[0].open:
                show_maps(run, passes)
        with tabs[1]:
            if tabs[1].open:
                finder.show_all(whole)
        with tabs[2]:
            if tabs[2].open:  # the chart's library takes a second to load
                show_scores(attention_scores.frame(run.id), run.dataset_id)

models = session.store().runs.all(kind="train", status="done", dataset=dataset.id, metrics=False) if dataset else []
if dataset is None:
    next_step.needs_data("Attention maps show where a trained model looks. Register data first.")
elif not models:
    missing = "This data set has no trained model yet. Attention maps need one."
    todo = "train a model, then compute its attention maps."
    submit.show_needed(dataset.id, ("train",), missing, todo, "train", "Train", without=in_pipelines)
else:
    is_preview, has_maps = bool(reruns.chosen_in_address(PARAM)), True
    if is_preview or session.viewer().may("lead"):
        form = st.expander(
            "Compute attention maps", expanded=run is None or is_preview, icon=":material/center_focus_strong:"
        )
        with form:
            has_maps = show(models)
    if run is None:
        appear = "The images with their maps appear here."
        press = "press *Compute attention maps*" if has_maps else "choose another model"
        todo = next_step.can("lead", f"{press}. {appear}")
        meanwhile = f"wait for the maps; you can close this page. {appear}"
        submit.needed_here(dataset.id, "gradcam", "submit-gradcam", todo, meanwhile, without=in_pipelines)
if run is not None:
    link = {"dataset": run.dataset_id, "attention": run.id}
    spaces = [one for one in session.store().runs.children(run.id) if one.kind == "space" and one.status == "done"]
    if spaces:
        next_step.show("open the attention space of these images.", "space", "Space", run=spaces[-1].id)
    else:
        todo = next_step.can("lead", "build an attention space of these images.")
        next_step.show(todo, "space", "Space", **link)
