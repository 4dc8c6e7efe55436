"""What is selected in a space: how many of each group and class, and the images themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from app.components import gallery
from app.components.space_data import SpaceData

STRIP = 24  # images shown at once


def show(data: SpaceData, selected: np.ndarray) -> None:
    """Counts and images of the selected positions; what to do where nothing is selected."""
    if not len(selected):
        st.caption("Nothing is selected yet: the images you select appear here.")
        return
    st.subheader(f"{len(selected):,} selected images", anchor=False)
    part = data.scores.iloc[selected]
    counts, images = st.columns([2, 5], gap="large")
    with counts:
        st.dataframe(by_group(part, data.scores), hide_index=True, column_config=_COLUMNS)
        wrong = int((~part["correct"]).sum())
        st.caption(f"{wrong:,} of them are mistaken ({wrong / len(part):.0%}).")
    with images:
        shown = part.iloc[_spread(len(part))]
        captions = [f"{r.label_name} → {r.prediction_name}" for r in shown.itertuples()]
        gallery.strip(data.dataset, shown["row"].tolist(), captions, data.attention if data.has_maps else None)
        if len(part) > STRIP:
            st.caption(f"{STRIP} of {len(part):,}, evenly spread.")


def by_group(part: pd.DataFrame, whole: pd.DataFrame) -> pd.DataFrame:
    """One row a group present in ``part``: group, n, share of the group that is selected (percent), accuracy there."""
    parts = part.groupby("group", sort=True)
    sizes = whole.groupby("group").size()
    table = pd.DataFrame({"n": parts.size(), "accuracy": parts["correct"].mean() * 100})
    table.insert(1, "share", table["n"] / sizes.reindex(table.index) * 100)
    return table.reset_index()


_COLUMNS = {
    "group": st.column_config.TextColumn("Group"),
    "n": st.column_config.NumberColumn("Images", format="localized"),
    "share": st.column_config.NumberColumn("of the group", format="%.0f %%"),
    "accuracy": st.column_config.NumberColumn("Accuracy", format="%.0f %%"),
}


def _spread(n: int) -> np.ndarray:
    return np.unique(np.linspace(0, n - 1, min(n, STRIP)).astype(int))
