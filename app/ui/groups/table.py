"""Accuracy per group as a table, with the number of images and the 95 % interval; the worst group is marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.ui.glossary import explain
from app.ui.groups import images
from slim_core.evaluation.charts.groups import ATTENTION, N_MASKS, group_frame
from slim_core.metrics import AIOU, ATTENTION_PRECISION, CLASSES, ESTIMATED_GROUPS, GROUPS
from slim_core.percent import interval

ESTIMATED = "Attributes are unknown: these groups are estimated, class x environment."
ONLY_CLASSES = "Attributes are unknown, and these groups are only the classes: *Evaluate on test* finds environments."
COLUMNS = {
    "group": st.column_config.TextColumn("Group"),
    "n": st.column_config.NumberColumn("Images", format="localized"),
    "accuracy": st.column_config.NumberColumn("Accuracy", format="%.1f %%"),
    "interval": st.column_config.TextColumn("95 % interval", help=explain("95 % interval")),
    ATTENTION_PRECISION: st.column_config.NumberColumn(
        "Attention", format="%.1f %%", help=explain("attention precision")
    ),
    AIOU: st.column_config.NumberColumn("AIoU", format="%.1f %%", help=explain("AIoU")),
}


def show(metrics: Mapping[str, Any], cells: Sequence[str] | None = None, key: str = "group-table") -> None:
    """``metrics``: as from metrics.classification_metrics; ``cells``: what a click on each row opens."""
    frame = group_frame(metrics)
    clickable = {"on_select": images.clicked_row(key, cells), "selection_mode": "single-row"} if cells else {}
    st.dataframe(_rows(frame), hide_index=True, column_config=COLUMNS, placeholder="–", key=key, **clickable)
    if (n := frame[N_MASKS].sum()) and n < frame["n"].sum():  # a column of it would make the table wider than its place
        st.caption(f"Attention is scored on {n:,.0f} of {frame['n'].sum():,} images.", help=explain("coverage"))
    if metrics.get(ESTIMATED_GROUPS):
        by_class = all(group["name"] in {one["name"] for one in metrics[CLASSES]} for group in metrics[GROUPS])
        st.caption(ONLY_CLASSES if by_class else ESTIMATED)


def _rows(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a group with the columns of COLUMNS that are known; rates in percent."""
    percent = frame[["accuracy", *ATTENTION]] * 100
    made = pd.DataFrame(
        {
            "group": [
                f"{name} ← worst" if worst else name for name, worst in zip(frame.group, frame.worst, strict=True)
            ],
            "n": frame["n"],
            "accuracy": percent["accuracy"],
            "interval": list(map(interval, frame["low"], frame["high"])),
        }
    )
    known = [key for key in ATTENTION if percent[key].notna().any()]
    return made.join(percent[known])
