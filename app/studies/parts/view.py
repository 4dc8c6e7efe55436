"""The charts of a study: one view at a time; which one is in the address (?view)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.ui import chart
from slim_core.evaluation.study.page import charts

if TYPE_CHECKING:
    from slim_core.evaluation.study.summary import Result


def show(result: Result, table: str) -> None:
    """The chart that is picked, of the table that is picked, with a sentence on how to read it."""
    drawn = {one.title: one for one in charts(result, table)}
    if not drawn:
        return
    picked = st.segmented_control(
        "Chart", list(drawn), default=next(iter(drawn)), required=True, key="view", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    st.caption(drawn[picked].note)
    chart.show(drawn[picked].figure, key=f"study-{list(drawn).index(picked)}", alt=picked)
