"""Retrain on a curated subset, and evaluate what comes out, in one press."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.services import queueing
from app.ui import next_step, roles
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from app.ui.runs import config_form, outcome, pipeline, progress
from slim_core.formatting import counted
from slim_core.parameters import parameters
from slim_core.runs.trainings import usual_fit, usual_way
from slim_core.steps.registry import STEPS

if TYPE_CHECKING:
    from slim_core.runs.trainings import Retrain
    from slim_core.store import Run

WAYS: dict[Retrain, str] = {
    "reference": "from the reference model (most stable)",
    "scratch": "from the initial weights",
    "last-layer": "the last layer only (fastest)",
}
WITH_ANSWERS = (
    "The answers enter the fit, too: what people call surroundings makes no class likelier. The Train page can fit the "
    "layer without them."
)


def show(subset: Run) -> None:
    """How to retrain on a finished curate run, and for leads the button that queues training and evaluation."""
    st.markdown(f"**{verbatim(subset.name or subset.id)}**: {made_of(subset.metrics or {})}")
    if roles.offers("lead", "Retraining"):
        with errors_shown():  # of a reference model that was deleted; what came of the subset is there all the same
            _form(subset)
    _show_outcome(subset)


def made_of(metrics: Mapping[str, Any]) -> str:
    """The images of a subset and the answers it was chosen by, in words."""
    images = f"{counted(metrics.get('images', 0), 'image')}, {metrics.get('images_unique', 0):,} of them distinct"
    return f"{images}, from {counted(metrics.get('answers', 0), 'answer')}"


def _form(subset: Run) -> None:
    """What is proposed is of this subset and its reference: another one's fields are others."""
    ways, store = list(WAYS), session.store()
    reference = store.lineage.reference_of(subset)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        way = st.selectbox(
            "Retrain",
            ways,
            index=ways.index(usual_way(store, reference)),
            format_func=lambda one: WAYS[one],
            key=f"retrain-way-{reference.id}",
            width=320,
            help="Compare only models that were retrained in the same way.",
        )
        with st.container(width=190):  # a seed that was drawn has ten digits
            seed = config_form.field(
                parameters(STEPS["train"].spec)["seed"], int(subset.spec["seed"]), key=f"retrain-{subset.id}"
            )
        pressed = st.button("Retrain and evaluate", type="primary", icon=":material/model_training:", key="retrain")
    if way == "last-layer" and usual_fit(store, reference, subset):
        st.caption(WITH_ANSWERS)
    if pressed:
        queueing.to_retraining(subset, way, seed)
        st.rerun()


def _show_outcome(subset: Run) -> None:
    """How far a retraining on the subset is, whoever has queued it, and what it changed once it is known."""
    news = _news(subset)
    if shown := pipeline.show(subset.dataset_id, lambda one: one.id in news):
        progress.wait(shown, "wait for the retraining; you can close this page. Its figures appear here.")
    elif (done := queueing.evaluation_of_subset(subset)) is not None:
        outcome.show(session.store().runs.fetch(done.id))
        next_step.show("see what it changed, group by group.", "compare", "Compare", dataset=subset.dataset_id)
    else:
        todo = "press *Retrain and evaluate*: the Compare page then says whether the worst group is better."
        next_step.here(roles.can("lead", todo))


def _news(subset: Run) -> set[str]:
    """The pipelines that retrain on the subset, as far as none that is done came after them."""
    store = session.store()
    models = {run.id for run in store.runs.children(subset.id) if run.kind == "train"}
    about = [
        one
        for one in store.pipelines.all(subset.dataset_id)
        if any(run.id in models or run.spec.get("model") in models for run in one.runs)
    ]
    return {one.id for one in takewhile(lambda one: one.state != "done", about)}
