"""Retrain on a curated subset, and evaluate what comes out, in one press."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import actions
from app.ui import next_step
from app.ui.escape import verbatim
from app.ui.glossary import explain
from app.ui.messages import errors_told
from app.ui.runs import submit
from slim_core.errors import SpecRefusedError
from slim_core.runs.whole_loop import retrain_spec

if TYPE_CHECKING:
    from slim_core.store import Run

WAYS = {
    "reference": "from the reference model (steadiest)",
    "scratch": "from the first weights",
    "last-layer": "the last layer only (fastest)",
}


def show(subset: Run) -> None:
    """How to retrain on a finished curate run, and the button that queues training and evaluation."""
    metrics = subset.metrics or {}
    st.markdown(
        f"**{verbatim(subset.name or subset.id)}**: {metrics.get('images', 0):,} images, "
        f"{metrics.get('images_unique', 0):,} of them distinct, from {metrics.get('answers', 0):,} answers"
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        way = st.selectbox(
            "Retrain",
            list(WAYS),
            format_func=lambda one: WAYS[one],
            key="retrain-way",
            width=320,
            help="Compare only models that were retrained in the same way.",
        )
        seed = st.number_input(
            "Seed", 0, value=int(subset.spec["seed"]), key="retrain-seed", width=120, help=explain("seed")
        )
        pressed = st.button("Retrain and evaluate", type="primary", icon=":material/model_training:", key="retrain")
    if pressed:
        with errors_told():
            st.session_state["retrain-run"] = queue(subset, way, seed)
    if "retrain-run" in st.session_state:
        submit.follow(st.session_state["retrain-run"])
    if _retrained(subset):
        next_step.show("see what it changed.", "compare", "Compare", dataset=subset.dataset_id)
    else:
        next_step.here("press *Retrain and evaluate*: the Compare page then says whether the worst group is better.")


def queue(subset: Run, way: str, seed: int) -> str:
    """Queue the training and its evaluation; the id of the evaluation, which ends last."""
    model, _ = actions.submit(retrain_spec(reference_of(subset), subset, way, seed))
    evaluation, _ = actions.submit({"kind": "evaluate", "dataset": subset.dataset_id, "model": model.id})
    return evaluation.id


def _retrained(subset: Run) -> bool:
    """True where a model trained on the subset is finished or under way."""
    after = [run for run in session.store().runs.children(subset.id) if run.kind == "train"]
    return any(run.status not in ("failed", "canceled") for run in after)


def reference_of(subset: Run) -> Run:
    """The model whose attention led to a subset: curate -> space -> attention -> model.

    Raises:
        SpecRefusedError: it was deleted.
    """
    runs, run = session.store().runs, subset
    for role in ("space", "attention", "model"):
        run = runs.find(str(run.spec.get(role)))
        if run is None:
            raise SpecRefusedError(f"The {role} run behind {subset.id} was deleted: curate again from another space.")
    return run
