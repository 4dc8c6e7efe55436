"""Which images of an attention pass are shown, in which order, and a page of them at a time."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.components import attention_scores

PAGE_SIZES = (12, 24, 48)


def show(scores: pd.DataFrame) -> pd.DataFrame:
    """One row of choices; the rows of ``scores`` that pass them, in the chosen order."""
    splits = [split for split in ("train", "val", "test") if (scores["split"] == split).any()]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        group = st.selectbox("Group", ["all groups", *sorted(scores["group"].unique())], key="attention-group")
        split = st.selectbox("Split", ["all splits", *splits], key="attention-split")
        outcome = st.selectbox("Prediction", attention_scores.OUTCOMES, key="attention-outcome")
        order = st.selectbox("Order", attention_scores.orders(scores), key="attention-order")
    return ordered(kept(scores, group, split, outcome), order)


def kept(scores: pd.DataFrame, group: str, split: str, outcome: str) -> pd.DataFrame:
    """The rows of a group and split with a correct or mistaken prediction; "all ..." keeps all."""
    keep = pd.Series(True, index=scores.index)
    if not group.startswith("all "):
        keep &= scores["group"] == group
    if not split.startswith("all "):
        keep &= scores["split"] == split
    if not outcome.startswith("all "):
        keep &= scores["correct"] == (outcome == "correct")
    return scores[keep]


def ordered(scores: pd.DataFrame, order: str) -> pd.DataFrame:
    """Sorted; images without the number come last, equal ones by row."""
    column, ascending = attention_scores.ORDERS[order]
    return scores.sort_values([column, "row"], ascending=[ascending, True], na_position="last")


def page(rows: pd.DataFrame) -> pd.DataFrame:
    """A page of the rows, with its number and size chosen below a count."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(rows):,} images**", width="stretch")
        size = st.segmented_control(
            "Images a page", PAGE_SIZES, default=PAGE_SIZES[0], key="attention-size", label_visibility="collapsed"
        )
        size = size or PAGE_SIZES[0]
        n_pages = max(1, -(-len(rows) // size))
        number = st.number_input(
            f"Page, 1 to {n_pages}",
            1,
            n_pages,
            key=f"attention-page-{n_pages}",
            width=160,
            label_visibility="collapsed",
        )
        st.caption(f"of {n_pages:,} pages", width="content")
    return rows.iloc[(number - 1) * size : number * size]
