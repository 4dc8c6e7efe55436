"""The latest numbers: worst group, average, attention and every group, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.charts.compare import group_intervals
from app.charts.groups import group_frame
from slim_core.metrics import AIOU, ATTENTION_PRECISION, AVERAGE, DEFINITIONS, WGA

if TYPE_CHECKING:
    from slim_core.store import Run

# key -> (name, unit's factor, format)
NUMBERS = {
    WGA: ("Worst-group accuracy", 100, "{:.1f} %"),
    AVERAGE: ("Average accuracy", 100, "{:.1f} %"),
    ATTENTION_PRECISION: ("Attention precision", 1, "{:.2f}"),
    AIOU: ("AIoU", 1, "{:.2f}"),
}


def show(before: Run | None, after: Run | None) -> None:
    """One number a column: the newest evaluation's, with its change from the reference model's."""
    latest = after or before
    if latest is None or latest.metrics is None:
        return
    old = before.metrics if after is not None and before is not None else None
    for column, key in zip(st.columns(len(NUMBERS)), NUMBERS, strict=True):
        name, factor, form = NUMBERS[key]
        value, was = latest.metrics.get(key), (old or {}).get(key)
        delta = None if value is None or was is None else factor * (value - was)
        same = delta is not None and abs(delta) < 0.0005 * factor
        column.metric(
            name,
            "–" if value is None else form.format(factor * value),
            None if delta is None else f"{delta:+.1f} points" if factor == 100 else f"{delta:+.2f}",
            delta_color="off" if same else "normal",
            delta_arrow="off" if same else "auto",
            help=DEFINITIONS.get(key),
            border=True,
        )
    _groups({name: run for name, run in (("reference", before), ("retrained", after)) if run is not None})
    which = "the model trained on the curated subset, against the reference model" if after else "the reference model"
    st.caption(f"On the test images, {which}.")


def _groups(evaluations: dict[str, Run]) -> None:
    frames = [group_frame(run.metrics).assign(run=name) for name, run in evaluations.items() if run.metrics]
    figure = group_intervals(pd.concat(frames, ignore_index=True))
    st.plotly_chart(figure, key="headline-groups", alt="Accuracy of each group", config={"displayModeBar": False})
