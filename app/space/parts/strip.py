"""The selected images under their heat maps, a page at a time; the browser fetches each by its address."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from app.services import attention_scores
from app.services.space_data import SpaceData
from app.ui import pictures

SHOWN = 24  # images at once
AS_IN_SPACE = "as in the data set"


def show(data: SpaceData, selected: np.ndarray) -> None:
    """One page of the selected images, in the order a person picks."""
    part = data.scores.iloc[selected]
    orders = [AS_IN_SPACE, *attention_scores.orders(data.scores)]
    pages = -(-len(part) // SHOWN)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = st.selectbox("Order", orders, key="space-order", width=220)
        page = _page(pages, len(selected))
    shown = ordered(part, order).iloc[(page - 1) * SHOWN : page * SHOWN]
    captions = [f"{one.label_name} → {one.prediction_name}" for one in shown.itertuples()]
    pictures.strip(data.dataset, shown["row"].tolist(), captions, data.attention if data.has_maps else None)
    st.caption("Label → prediction" + (f" · page {page:,} of {pages:,}" if pages > 1 else ""))


def ordered(part: pd.DataFrame, order: str) -> pd.DataFrame:
    """Rows of scores in the order of this name; images without that number last."""
    if order == AS_IN_SPACE:
        return part
    column, ascending = attention_scores.ORDERS[order]
    return part.sort_values(column, ascending=ascending, na_position="last", kind="stable")


def _page(pages: int, n: int) -> int:
    """The page to show; a new selection starts at the first."""
    if pages < 2:
        return 1
    return int(st.number_input("Page", 1, pages, 1, key=f"space-page-{n}", width=130, help=f"{pages:,} pages."))
