"""Accuracy per group as a table, with the number of images and the 95 % interval; the worst group is marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.charts.groups import group_frame


def show(metrics: Mapping[str, Any]) -> None:
    """``metrics``: as from slim_core.metrics.classification_metrics."""
    frame = group_frame(metrics)
    percent = frame[["accuracy", "low", "high"]] * 100
    table = frame[["group", "n"]].assign(
        group=[
            f"{name} ← worst" if worst else name for name, worst in zip(frame["group"], frame["worst"], strict=True)
        ],
        accuracy=percent["accuracy"],
        interval=[
            "–" if low != low else f"{low:.1f} to {high:.1f}"  # NaN: the group has no images
            for low, high in zip(percent["low"], percent["high"], strict=True)
        ],
    )
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_config={
            "n": st.column_config.NumberColumn("images", format="localized"),
            "accuracy": st.column_config.NumberColumn("accuracy", format="%.1f %%"),
            "interval": st.column_config.TextColumn("95 % interval, %", help="Wilson's interval of a proportion."),
        },
    )
    if metrics.get("estimated_groups"):
        st.caption("These groups are estimated: the data set has no attribute column.")
