"""The curves of a training, while it runs and afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.ui import chart
from app.ui.runs import training
from slim_core.evaluation.charts import training as charts

if TYPE_CHECKING:
    from slim_core.store import Run


def show(run: Run) -> None:
    """Loss and accuracies by epoch; nothing for other steps, before the first epoch, and of a refitted last layer."""
    if run.kind != "train" or run.attempt == 0:
        return
    frame = charts.history_frame(training.history(run))
    if not charts.has_curves(frame):
        return
    epochs, best = run.spec["epochs"], (run.metrics or {}).get("best_epoch")
    figures = {"loss": charts.loss_curve(frame, epochs, best), "accuracy": charts.accuracy_curves(frame, epochs, best)}
    for column, (name, figure) in zip(st.columns(2, gap="large"), figures.items(), strict=True):
        alt = f"{name.capitalize()} of {run.name or run.id} by epoch"
        with column:
            chart.show(figure, key=f"{name}-{run.id}", alt=alt)
