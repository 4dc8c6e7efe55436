"""A page of a data set's images, by split and group."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from app import session
from app.ui.choosing import paging
from app.ui.escape import verbatim
from app.ui.images import pictures
from app.ui.images.pictures import Tile, View
from slim_core.data.groups import Grouping, grouping
from slim_core.data.table import SPLITS

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable

PER_PAGE = 24
SIDE_PX = 112
ANY = "any group"
MASKS = "sample-masks"  # of the session: whether masks are shown


def show(dataset: str) -> None:
    """Filters, a page number, and the images; a mask can be shown where there is one."""
    table = session.store().datasets.table(dataset)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        split = st.segmented_control(
            "Split", SPLITS, default="train", required=True, key="sample-split", bind="query-params"
        )
        group = st.selectbox(
            "Group", [ANY, *_grouping(table).names], key="sample-group", width=240, bind="query-params"
        )
        has_mask = session.store().shapes.on(dataset, table).has_mask
        if not has_mask.any():  # it was switched on for another data set, and nobody could switch it off here
            st.session_state[MASKS] = False
        masked = st.toggle("Show masks", key=MASKS, disabled=not has_mask.any())
        rows = _rows(table, split, group, has_mask if masked else None)
        shown = rows[paging.shown(len(rows), PER_PAGE, "samples", f"{dataset} {split} {group} {masked}")]
    if not len(rows):
        lack = " have a mask, box or drawing" if masked else ""
        st.info(f"No {split} images of {verbatim(group)}{lack}. Choose another split or group.")
        return
    names, index = _grouping(table).names, _grouping(table).index
    captions = [names[index[row]] if index[row] >= 0 else table.label_names[table.labels[row]] for row in shown]
    view = View("mask" if masked else "image")
    tiles = [Tile(row, [view], [pictures.quiet(group)]) for row, group in zip(shown.tolist(), captions, strict=True)]
    pictures.show(dataset, tiles, wide=SIDE_PX, size=2 * SIDE_PX, small=True, opens=True)


def _rows(table: ImageTable, split: str, group: str, only: np.ndarray | None) -> np.ndarray:
    """``only``: (N,) bool, where not every image is shown."""
    rows = table.rows(split)
    if group != ANY:
        found = _grouping(table)
        rows = rows[found.index[rows] == found.names.index(group)]
    return rows if only is None else rows[only[rows]]


@lru_cache(maxsize=8)
def _grouping(table: ImageTable) -> Grouping:
    return grouping(table)
