"""Named filters of images: a link opens a page with the images of one selected (?filter=v-...)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.services.results.space_data import SpaceData
from app.ui.choosing import pick, selection, url_state
from app.ui.escape import verbatim
from slim_core.errors import SpecRefusedError
from slim_core.formatting import counted

if TYPE_CHECKING:
    from slim_core.data.image_filter import ImageFilter
    from slim_core.store import NamedFilter

PARAM = "filter"
NONE = "no filter"


def passing(dataset: str, parts: ImageFilter, images: pd.DataFrame) -> np.ndarray:
    """(m,) positions of the images that pass, ascending.

    Raises:
        SpecRefusedError: a score is not known of these images.
    """
    tags = session.store().tags.by_row(dataset) if parts.tags else {}
    return np.flatnonzero(parts.passing(images, tags))


def follow(data: SpaceData) -> bool:
    """Select the images of the filter that a link names; the selection then takes its place in the address."""
    named = _taken()
    if not named:
        return False
    found = session.store().filters.find(named)
    if found is None or found.dataset_id != data.dataset:
        _say_missing(named)
        return False
    try:
        selected = passing(data.dataset, found.parts, data.scores)
    except SpecRefusedError as error:
        st.toast(verbatim(str(error)), icon=":material/search_off:")
        return False
    selection.keep(data, selected)
    st.toast(f"{verbatim(found.name)}: {counted(len(selected), 'image')} selected.", icon=":material/filter_alt:")
    return bool(len(selected))


def chosen(dataset: str) -> NamedFilter | None:
    """A select box of the named filters (?filter), which begins with none; nothing where there are none."""
    known = {one.id: one for one in session.store().filters.all(dataset)}
    if known:
        words = {one.id: one.name for one in known.values()}
        return known.get(pick.choose("Filter", words, PARAM, none=NONE, missing=_say_missing))
    if linked := _taken():
        _say_missing(linked)
    return None


def _taken() -> str | None:
    """The filter that a link names, which the address names no more."""
    linked = url_state.read_link(PARAM)
    if url_state.read(PARAM):
        url_state.keep(PARAM, "")
    return linked


def _say_missing(named: str) -> None:
    st.toast(f"This data set has no filter {verbatim(named)}.", icon=":material/search_off:")
