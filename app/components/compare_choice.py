"""Which evaluations are compared, and against which: kept in the address, so that a link reproduces the view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

if TYPE_CHECKING:
    from slim_core.store import Run

FIRST = 8  # evaluations shown where the address names none


def show(evaluations: Sequence[Run], rows: pd.DataFrame) -> tuple[list[Run], str]:
    """The chosen evaluations, oldest first, and the id of the baseline; nothing where none is chosen."""
    by_id = {one.id: one for one in reversed(evaluations)}
    labels = rows["label"]
    linked = [one for one in st.query_params.get("runs", "").split(",") if one in by_id]
    with st.container(horizontal=True):
        chosen = st.multiselect(
            "Runs", list(by_id), linked or list(by_id)[:FIRST], format_func=lambda one: labels[one], key="compare-runs"
        )
        if not chosen:
            return [], ""
        named = st.query_params.get("baseline", "")
        start = chosen.index(named) if named in chosen else 0
        baseline = st.selectbox("Baseline", chosen, start, format_func=labels.get, key="compare-baseline", width=320)
    st.query_params["runs"], st.query_params["baseline"] = ",".join(chosen), baseline
    return [by_id[one] for one in chosen], baseline
