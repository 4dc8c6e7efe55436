"""Which images of an attention pass are shown, in which order, and a page of them: all of it in the address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.services.results import attention_scores
from app.ui.choosing import paging, selection
from slim_core.data.groups import in_order
from slim_core.formatting import counted

if TYPE_CHECKING:
    from slim_core.store import NamedFilter

PAGE_SIZES = (12, 24, 48)
PAGE = "attention-page"  # parameter of the address
ALL_GROUPS, ALL_SPLITS, ALL_PREDICTIONS = "all groups", "all splits", attention_scores.OUTCOMES[0]
# choice -> (right before, right after); only offered where two models are compared
CHANGES = {"now right": (False, True), "now wrong": (True, False)}


def show(dataset: str, scores: pd.DataFrame) -> tuple[pd.DataFrame, NamedFilter | None]:
    """One row of choices; the rows of ``scores`` that pass them, in the chosen order, and the named filter among them.

    Raises:
        SpecRefusedError: the named filter asks for a score that is not known of these images.
    """
    splits = [split for split in ("train", "val", "test") if (scores["split"] == split).any()]
    outcomes = [*attention_scores.OUTCOMES, *(CHANGES if "correct_after" in scores else ())]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        group = _choice("Group", [ALL_GROUPS, *in_order(scores["group"])], "attention-group")
        split = _choice("Split", [ALL_SPLITS, *splits], "attention-split")
        outcome = _choice("Prediction", outcomes, "attention-outcome")
        named = selection.chosen_filter(dataset)
        order = _choice("Order", attention_scores.orders(scores), "attention-order")
    if named is not None:
        scores = scores.iloc[selection.passing(dataset, named.parts, scores)]
    return ordered(kept(scores, group, split, outcome), order), named


def _choice(label: str, options: list[str], key: str) -> str:
    if st.session_state.get(key) not in (None, *options):  # chosen for another run, which had more to choose from
        del st.session_state[key]
    chosen = st.selectbox(label, options, key=key, bind="query-params", persist_state="session")
    return str(chosen)


def kept(scores: pd.DataFrame, group: str, split: str, outcome: str) -> pd.DataFrame:
    """The rows of a group and split with a correct or incorrect prediction; the choices that say "all" keep all."""
    keep = pd.Series(True, index=scores.index)
    if group != ALL_GROUPS:
        keep &= scores["group"] == group
    if split != ALL_SPLITS:
        keep &= scores["split"] == split
    if outcome in CHANGES:
        before, after = CHANGES[outcome]
        keep &= (scores["correct"] == before) & (scores["correct_after"] == after)
    elif outcome != ALL_PREDICTIONS:
        keep &= scores["correct"] == (outcome == "correct")
    return scores[keep]


def ordered(scores: pd.DataFrame, order: str) -> pd.DataFrame:
    """Sorted; images without the number come last, equal ones by row."""
    column, ascending = attention_scores.ORDERS[order]
    return scores.sort_values([column, "row"], ascending=[ascending, True], na_position="last")


def page(rows: pd.DataFrame) -> pd.DataFrame:
    """A page of the rows, with its number and size chosen below a count."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{counted(len(rows), 'image')}**", width="stretch")
        size = st.segmented_control(
            "Images per page",
            PAGE_SIZES,
            default=PAGE_SIZES[0],
            required=True,
            key="attention-size",
            label_visibility="collapsed",
            bind="query-params",
        )
        return rows.iloc[paging.shown(len(rows), size, "attention", rows["row"].to_numpy(), param=PAGE)]
