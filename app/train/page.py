"""Train: submit a training, watch its curves, and see the accuracy of every group."""

import streamlit as st

from app import session
from app.train.forms import form, show
from app.ui import export, next_step, pick, progress, run_state, training
from app.ui.messages import verbatim
from slim_core.steps.specs import refits
from slim_core.store import Pipeline
from slim_core.store.runs.rows import UNFINISHED


def of_trainings(one: Pipeline) -> bool:
    """Whether it is one press of this page, and more than a training."""
    return len(one.runs) > 1 and one.kind == "training"


st.title("Train")

dataset = pick.dataset()
if dataset is None:
    next_step.needs_data("Train a model here and see its accuracy per group. Register a data set first.")
    st.stop()

runs = session.store().runs
trainings = runs.all(kind="train", dataset=dataset.id, metrics=False)
subsets = runs.all(kind="curate", dataset=dataset.id, status="done", metrics=False)
progress.show_pipelines(dataset.id, of_trainings)
linked = pick.follow("subset", subsets)
if may := session.viewer().may("lead"):
    is_asked_for = not trainings or not st.query_params.keys().isdisjoint({"subset", progress.OPENS_FORM})
    models = [run for run in trainings if run.status == "done" and not refits(run.spec)]
    with st.expander("New training", icon=":material/add:", expanded=is_asked_for):
        given = runs.find(st.query_params.get(progress.OPENS_FORM, ""))
        show(dataset, subsets, models, linked, given if given in trainings else None)
    with st.expander("Use a trained model", icon=":material/upload_file:"):
        form(dataset)

chosen = pick.run("Training", trainings)
if chosen is None:
    todo = "press *Train*, or register a model. The accuracy of every group appears here."
    next_step.here(next_step.can("lead", todo))
    st.stop()
run = runs.fetch(chosen.id)

with st.container(horizontal=True, vertical_alignment="center"):
    run_state.show_badge(run.status)
    made = "trained elsewhere" if run.spec.get("mode") == "registered" else f"seed {run.spec['seed']}"
    st.caption(verbatim(f"{run.spec['model']} · {made} · by {run.created_by}"))
    next_step.link("jobs", "Parameters and log", icon="notes", run=run.id)
    run_state.show_described(run.id, run.name or run.kind)
    if run.status == "done":
        children = runs.children(run.id)
        if evaluations := [one for one in children if one.kind == "evaluate" and one.status == "done"]:
            export.report_button(f"report-{run.id}", evaluations[-1:])
        export.show([run], ("model",))
training.show(run)

if run.status == "done" and run.spec.get("subset"):
    next_step.show("compare it with the reference model.", "compare", "Compare", dataset=dataset.id)
elif run.status == "done":
    has_maps = any(one.kind == "gradcam" and one.status not in UNFINISHED for one in children)
    label = "See the maps" if has_maps or not may else "Compute the maps"
    next_step.show("see where this model looks.", "attention", label, dataset=dataset.id, model=run.id)
elif run.status in UNFINISHED:
    is_above = run.id in progress.resumable(dataset.id, of_trainings)
    settings = {"run": run.id} | ({"subset": subset} if (subset := run.spec.get("subset")) else {})
    said = f"The training {progress.ENDED[run_state.WORDS[run.status]]}."
    progress.unfinished(said, run_state.cause_of(run), is_above, "train", settings)
else:
    wait = "wait for the training; you can close this page. Every group's accuracy appears here at the end."
    progress.wait([run.id], wait)
