"""Attention and accuracy per group as a table."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.ui import tables
from slim_core.metrics import AIOU, ATTENTION_PRECISION, DEFINITIONS


def show(per_group: pd.DataFrame) -> None:
    """The rows of attention_scores.per_group; rates in percent, with their definitions on hover."""
    shown = per_group.assign(coverage=[f"{k:,} of {n:,}" for k, n in zip(per_group.n_scored, per_group.n, strict=True)])
    for rate in ("accuracy", ATTENTION_PRECISION, AIOU):
        shown[rate] = shown[rate] * 100
    tables.place("scores", shown["name"].astype(str)).dataframe(
        shown[["name", "n", "accuracy", ATTENTION_PRECISION, AIOU, "coverage"]],
        hide_index=True,
        placeholder="–",
        column_config={
            "name": st.column_config.TextColumn("Group"),
            "n": st.column_config.NumberColumn("Images", format="localized"),
            "accuracy": st.column_config.NumberColumn("Accuracy", format="%.1f %%"),
            ATTENTION_PRECISION: st.column_config.NumberColumn(
                "Attention precision", format="%.1f %%", help=DEFINITIONS[ATTENTION_PRECISION]
            ),
            AIOU: st.column_config.NumberColumn("AIoU", format="%.1f %%", help=DEFINITIONS[AIOU]),
            "coverage": st.column_config.TextColumn(
                "Scored", help="Images of the group with a drawing, mask or box, and a non-empty map."
            ),
        },
    )
