"""The selected images under their heat maps, a page at a time; the browser fetches each by its address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.services.results import attention_scores
from app.services.results.space_data import SpaceData
from app.ui.choosing import paging
from app.ui.images import pictures
from app.ui.images.pictures import SMALL_MOST_PX, SMALL_PX, Markup, Tile
from slim_core.data.names import shortened

SHOWN = 24  # images at once
LETTERS = 24  # of a class, which has two lines below a tile
AS_IN_SPACE = "as in the data set"


def show(data: SpaceData, selected: np.ndarray) -> int | None:
    """One page of the selected images, in the order a person picks; returns the row that was opened just now."""
    part = data.scores.iloc[selected]
    orders = [AS_IN_SPACE, *attention_scores.orders(data.scores)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = st.selectbox("Order", orders, key="space-order", width=220)
        rows = ordered(part, order)
        page = rows.iloc[paging.shown(len(rows), SHOWN, "selected", rows["row"].to_numpy())]
    tiles = [tile(data, one) for one in page.to_dict("records")]
    opened = pictures.gallery(
        data.dataset, tiles, key=f"space-strip-{data.run}", wide=SMALL_PX, most=SMALL_MOST_PX, small=True
    )
    st.caption("Label → prediction. Click an image to open it.")
    return opened


def tile(data: SpaceData, record: Mapping[Any, Any], *lines: Markup) -> Tile:
    """An image of ``data.scores`` under its map, with lines of its own above its classes."""
    named = [str(record[column]) for column in ("label_name", "prediction_name")]
    short, whole = (" → ".join(names) for names in ([shortened(name, LETTERS) for name in named], named))
    classes = pictures.quiet(short, whole=None if short == whole else whole)
    view = pictures.under(data.maps)
    return Tile(int(record["row"]), [view], [*lines, classes], name=pictures.called(record))


def ordered(part: pd.DataFrame, order: str) -> pd.DataFrame:
    """Rows of scores in the order of this name; images without that number last."""
    if order == AS_IN_SPACE:
        return part
    column, ascending = attention_scores.ORDERS[order]
    return part.sort_values(column, ascending=ascending, na_position="last", kind="stable")
