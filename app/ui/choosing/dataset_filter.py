"""A filter by data set, where those of all are listed: in the address (?data) by its id, for names change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from app.ui.choosing import pick, url_state
from app.ui.escape import prose

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

PARAM = KEY = "data"


def show(place: DeltaGenerator, names: Mapping[str, str], on_change: Callable[[], None] = lambda: None) -> str | None:
    """A select box; the id that is chosen. ``names``: by id; ``on_change``: called where a person chooses another."""
    named = pick.label_function(names)  # versions share a name
    linked = url_state.chosen(PARAM)
    shown = linked if linked in names else None
    if linked and shown is None:
        url_state.put(PARAM, "")
        pick.toast_missing(prose(f"The data set {linked} from the address was not found: those of all are listed."))
    st.session_state[KEY] = shown
    return place.selectbox(
        "Data set", list(names), None, named, key=KEY, placeholder="Any", on_change=_take, args=(on_change,)
    )


def _take(on_change: Callable[[], None]) -> None:
    url_state.put(PARAM, st.session_state[KEY] or "")
    on_change()
