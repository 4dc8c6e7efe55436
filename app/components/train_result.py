"""One training: its state, its curves while it runs and afterwards, and the accuracy of every group."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.charts import groups as group_charts
from app.charts import training as charts
from app.components import group_table, run_progress, run_state
from slim_core.metrics import AVERAGE, DEFINITIONS, WGA

if TYPE_CHECKING:
    from slim_core.store import Run

LIVE = "history.json"
QUIET = {"displayModeBar": False}


def show(run: Run) -> None:
    """Curves and groups; polls while the run is under way."""
    if run_state.is_active(run):
        _poll(run.id, run.status)
    else:
        _curves(run)
        _ended(run)


@st.fragment(run_every="1s")
def _poll(run_id: str, known: str) -> None:
    run = session.store().runs.fetch(run_id)
    if run.status != known:
        st.rerun()
    st.progress(run_progress.fraction(run), text=run_progress.told(run))
    _curves(run)


def _curves(run: Run) -> None:
    frame = charts.history_frame(history(run))
    if frame.empty:
        if run_state.is_active(run):
            st.caption("The curves begin with the first epoch.")
        return
    epochs, best = run.spec["epochs"], (run.metrics or {}).get("best_epoch")
    left, right = st.columns(2, gap="large")
    left.plotly_chart(
        charts.loss_curve(frame, epochs, best),
        width="stretch",
        config=QUIET,
        key=f"loss-{run.id}",
        alt=f"Training loss of {run.id}",
    )
    right.plotly_chart(
        charts.accuracy_curves(frame, epochs, best),
        width="stretch",
        config=QUIET,
        key=f"accuracy-{run.id}",
        alt=f"Accuracies of {run.id}",
    )


def _ended(run: Run) -> None:
    if run.status != "done":
        st.error(run.message or f"The training was {run.status}.", icon=":material/error:")
        return
    metrics = run.metrics or {}
    a, b, c, d = st.columns(4)
    val = metrics.get("val") or {}
    a.metric("Worst group, validation", _percent(val.get(WGA)), help=DEFINITIONS.get(WGA), border=True)
    b.metric("Average, validation", _percent(val.get(AVERAGE)), help=DEFINITIONS.get(AVERAGE), border=True)
    c.metric("Images", f"{metrics['images']:,}", help=f"{metrics['images_unique']:,} different ones.", border=True)
    d.metric("Time", run_progress.duration(metrics["seconds"]), help="Of training alone.", border=True)
    if val.get("groups"):
        st.subheader("Groups, on validation images")
        left, right = st.columns([3, 2], gap="large")
        frame = group_charts.group_frame(val)
        left.plotly_chart(
            group_charts.group_bars(frame),
            width="stretch",
            config=QUIET,
            key=f"groups-{run.id}",
            alt="Accuracy of each group",
        )
        with right:
            group_table.show(val)


def history(run: Run) -> list[dict[str, Any]]:
    """One dict an epoch: of a finished run from its artifacts, of one under way from its checkpoint's record."""
    artifacts = session.store().artifacts
    folder = artifacts.folder(run.id) if artifacts.has(run.id, LIVE) else artifacts.checkpoints(run.id)
    try:
        found: list[dict[str, Any]] = json.loads((folder / LIVE).read_text())
    except FileNotFoundError:
        return []
    return found


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
