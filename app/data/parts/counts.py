"""How many images an import found in each group and split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import chart, tables
from app.ui.glossary import explain
from slim_core.data.names import shortened
from slim_core.evaluation.charts import groups as charts

LETTERS = 34  # of a name; longer ones would push the counts out of the table. The chart has them whole
FEW_LETTERS = 20  # beside longer names, three counts need half of a page of 1,280 pixels


def show(report: Mapping[str, Any], *, estimated: bool = False, n_drawn: int = 0) -> None:
    """Images per group and split, as a table and as shares.

    ``estimated``: whether groups are, once there is a model; ``n_drawn``: images that people drew on.
    """
    frame = charts.split_frame(report["groups"], report["splits"])
    longest = max(map(len, frame.index), default=0)
    left, right = st.columns([2, 3] if longest <= FEW_LETTERS else 2, gap="large")
    with left:
        table(report, n_drawn)
        if estimated:
            st.caption("Without attributes these are the classes. After training, groups are class x environment.")
    with right:
        chart.show(charts.split_shares(frame), key="split-shares", alt="Share of each group in each split")


def table(report: Mapping[str, Any], n_drawn: int = 0, key: str = "counts") -> None:
    """Images per group and split, and how many have a mask; ``key``: its own where a page has two."""
    frame = charts.split_frame(report["groups"], report["splits"])
    numbers = {split: st.column_config.NumberColumn(format="localized") for split in frame.columns}
    names = [shortened(name, LETTERS) for name in frame.index]
    tables.place(key, names).dataframe(
        frame.set_axis(names).rename_axis("Group"),
        width="stretch",
        height=tables.height(len(frame)),
        placeholder="–",
        column_config=numbers,
        alt="Images by group and split",
    )
    masks, images = report["n_masks"], report["n_images"]
    drawn = f", {n_drawn:,} drawn on" if n_drawn else ""
    st.caption(
        f"{images:,} images; {masks:,} with a mask or box for attention scores{drawn}.",
        help=explain("attention precision", "AIoU"),
    )
