"""Retrain on a curated subset, and evaluate what comes out, in one press."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import retraining
from app.ui import next_step
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from app.ui.runs import ask, outcome, submit
from slim_core.parameters import parameters
from slim_core.steps.registry import STEPS

if TYPE_CHECKING:
    from slim_core.store import Run

WAYS = {
    "reference": "from the reference model (most stable)",
    "scratch": "from the initial weights",
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
        with st.container(width=120):
            seed = ask.field(parameters(STEPS["train"].spec)["seed"], int(subset.spec["seed"]), key="retrain")
        pressed = st.button("Retrain and evaluate", type="primary", icon=":material/model_training:", key="retrain")
    if pressed:
        with errors_shown():
            st.session_state["retrain-run"] = retraining.retrain(subset, way, seed).id
    sent = st.session_state.get("retrain-run")
    if sent is not None:
        submit.follow(sent)
    _show_next(subset, sent)


def _show_next(subset: Run, sent: str | None) -> None:
    """What the retraining changed, once it is known. ``sent``: the evaluation that was queued here."""
    runs, done = session.store().runs, retraining.evaluated(subset)
    under_way = runs.find(sent) if sent is not None else None
    if under_way is not None and not under_way.ended:
        next_step.here("wait for the retraining; you can close this page. Its figures appear here.")
    elif done is not None:
        if done.id != sent:
            outcome.show(runs.fetch(done.id))
        next_step.show("see what it changed, group by group.", "compare", "Compare", dataset=subset.dataset_id)
    else:
        next_step.here("press *Retrain and evaluate*: the Compare page then says whether the worst group is better.")
