"""The selection of a space: in the session's state by data set rows, in the address by a short id; and named filters of
images, of which a link selects the images (?filter=v-...).
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.services.results.space_data import SpaceData
from app.ui import pick, reruns
from app.ui.messages import prose, verbatim
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.formatting import counted
from slim_core.settings import settings
from slim_core.space.selections import Selections

if TYPE_CHECKING:
    from slim_core.data.image_filter import ImageFilter
    from slim_core.store import NamedFilter

PARAM = "selection"
log = logging.getLogger(__name__)


def rows_key(run: str) -> str:
    """Where other pages find the selected rows of the data set: (m,) int64 in the session's state."""
    return f"selection:{run}"


def positions(data: SpaceData) -> np.ndarray:
    """The selected positions, ascending: of this session, else of the address, else none."""
    found = st.session_state.get(_positions_key(data.run))
    if found is None:
        found = _linked(data)
    return np.empty(0, np.int64) if found is None else found


def version(data: SpaceData) -> str:
    """Changes with the selection; the browser takes over a selection whose version it does not know."""
    return str(st.session_state.get(f"selection-version:{data.run}", "none"))


def keep(data: SpaceData, selected: np.ndarray, version: str | None = None) -> None:
    """Make these positions the selection. ``version``: the browser's own, where it made the selection."""
    selected = np.unique(np.asarray(selected, np.int64))
    name = _store(data, selected)
    st.session_state[_positions_key(data.run)] = selected
    st.session_state[rows_key(data.run)] = data.rows[selected]
    st.session_state[f"selection-version:{data.run}"] = version or f"page-{secrets.token_hex(6)}"
    st.session_state[f"selection-name:{data.run}"] = name


def keep_in_address(data: SpaceData) -> None:
    """Put the id of the selection into the address, or take it out."""
    reruns.keep_in_address(PARAM, st.session_state.get(f"selection-name:{data.run}", ""))


def _linked(data: SpaceData) -> np.ndarray | None:
    name = reruns.read_link(PARAM)
    if name is None:
        return None
    try:
        found = np.flatnonzero(_selections().load(name, data.run)[: len(data)])
    except NotFoundError as error:  # an old link, or one to another space: the page opens without a selection
        reruns.keep_in_address(PARAM, "")
        pick.toast_missing(prose(error))
        return None
    keep(data, found)
    return found


def _store(data: SpaceData, selected: np.ndarray) -> str:
    """The id of a selection; "" for none, and where the disk takes no more."""
    mask = np.zeros(len(data), bool)
    mask[selected] = True
    try:
        return _selections().keep(data.run, mask) if len(selected) else ""
    except OSError as error:
        log.warning("The selection has no address: %s", error)
        return ""


def _selections() -> Selections:
    return Selections(settings().home / "selections")


def _positions_key(run: str) -> str:
    return f"selection-positions:{run}"


FILTER = "filter"
NO_FILTER = "no filter"


def passing(dataset: str, parts: ImageFilter, images: pd.DataFrame) -> np.ndarray:
    """(m,) positions of the images that pass, ascending.

    Raises:
        SpecRefusedError: a score is not known of these images.
    """
    tags = session.store().tags.by_row(dataset) if parts.tags else {}
    return np.flatnonzero(parts.passing(images, tags))


def follow_filter(data: SpaceData) -> bool:
    """Select the images of the filter that a link names; the selection then takes its place in the address."""
    named = _taken_filter()
    if not named:
        return False
    found = session.store().filters.find(named)
    if found is None or found.dataset_id != data.dataset:
        _say_no_filter(named)
        return False
    try:
        selected = passing(data.dataset, found.parts, data.scores)
    except SpecRefusedError as error:
        st.toast(verbatim(str(error)), icon=":material/search_off:")
        return False
    keep(data, selected)
    st.toast(f"{verbatim(found.name)}: {counted(len(selected), 'image')} selected.", icon=":material/filter_alt:")
    return bool(len(selected))


def chosen_filter(dataset: str) -> NamedFilter | None:
    """A select box of the named filters (?filter), which begins with none; nothing where there are none."""
    known = {one.id: one for one in session.store().filters.all(dataset)}
    if known:
        words = {one.id: one.name for one in known.values()}
        return known.get(pick.choose("Filter", words, FILTER, none=NO_FILTER, missing=_say_no_filter))
    if linked := _taken_filter():
        _say_no_filter(linked)
    return None


def _taken_filter() -> str | None:
    """The filter that a link names, which the address names no more."""
    linked = reruns.read_link(FILTER)
    if reruns.read_address(FILTER):
        reruns.keep_in_address(FILTER, "")
    return linked


def _say_no_filter(named: str) -> None:
    st.toast(f"This data set has no filter {verbatim(named)}.", icon=":material/search_off:")
