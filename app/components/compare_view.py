"""The comparison on the page: a table of numbers and costs, groups with intervals, attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.charts import compare as charts
from app.components import compare_runs
from app.components.compare_runs import ATTENTION, HEADLINE, RATES
from slim_core.metrics import ADJUSTED, AIOU, ATTENTION_PRECISION, AVERAGE, DEFINITIONS, WGA, WORST_CLASS

if TYPE_CHECKING:
    from slim_core.store import Run

TITLES = {
    WGA: "Worst group",
    AVERAGE: "Average",
    ADJUSTED: "Adjusted average",
    WORST_CLASS: "Worst class",
    ATTENTION_PRECISION: "Attention precision",
    AIOU: "AIoU",
}
BARE = {"displayModeBar": False}


def show(evaluations: Sequence[Run], rows: pd.DataFrame, baseline: str) -> None:
    """Everything about the chosen evaluations; ``rows`` of compare_runs.table for them."""
    show_table(compare_runs.with_change(rows, baseline))
    groups = compare_runs.groups(evaluations, rows["label"])
    st.subheader("Every group", anchor=False, help=DEFINITIONS["groups"])
    if any((one.metrics or {}).get("estimated_groups") for one in evaluations):
        st.caption("No attribute is known: the groups are estimated from class and environment.")
    alt = "Accuracy of every group in every run, with 95 % intervals"
    st.plotly_chart(charts.group_intervals(groups), key="groups", alt=alt, config=BARE)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Worst group and averages", anchor=False, help=" ".join(DEFINITIONS[key] for key in HEADLINE))
        headline = charts.headline(compare_runs.long(rows, HEADLINE))
        st.plotly_chart(headline, key="headline", alt="Worst-group and average accuracy of each run", config=BARE)
    with right:
        _attention(rows)


def show_table(rows: pd.DataFrame) -> None:
    """One row a run: rates in percent with their definitions on hover, then what each cost."""
    shown = rows.assign(**{key: rows[key] * 100 for key in (*RATES, "share", "change")})
    percent = st.column_config.NumberColumn
    columns = {"label": st.column_config.TextColumn("Run", pinned=True)}
    columns |= {key: percent(TITLES[key], format="%.1f %%", help=DEFINITIONS[key]) for key in RATES}
    columns["change"] = percent("Change", format="%+.1f", help="Worst group, in points against the baseline.")
    columns |= {
        "answers": st.column_config.NumberColumn("Answers", format="localized", help="Images people were asked about."),
        "share": percent("Share", format="%.1f %%", help="Answers as a share of the training images."),
        "images": st.column_config.NumberColumn("Images", format="localized", help="Trained on, repeats counted."),
        "seconds": st.column_config.NumberColumn("Seconds", format="%.0f", help="Training time of this model."),
    }
    order = ["label", WGA, "change", *(key for key in RATES if key != WGA), "answers", "share", "images", "seconds"]
    st.dataframe(shown[order], hide_index=True, column_config=columns, placeholder="–")


def _attention(rows: pd.DataFrame) -> None:
    st.subheader("Attention", anchor=False, help=" ".join(DEFINITIONS[key] for key in ATTENTION))
    frame = compare_runs.long(rows, ATTENTION)
    if frame.empty:
        st.caption("Attention is scored against masks or boxes, and the test images have none.")
        return
    alt = "Attention precision and AIoU of each run"
    st.plotly_chart(charts.attention_change(frame), key="attention-change", alt=alt, config=BARE)
