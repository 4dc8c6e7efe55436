"""Which result the overview is about: the newest complete pair, or the one that the address names (?result)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app.ui import reruns
from app.ui.choosing import pick, url_state

if TYPE_CHECKING:
    from app.services.results.pairs import Result

PARAM, KEY = "result", "overview-result"
SAID = "overview-result-said"  # of the session: the visit whose link was followed; after it, the data set was changed
HELP = "A model retrained on a subset, and the reference model that the subset was chosen with."


def show(results: Sequence[Result]) -> str:
    """A select box of all results; the id of the chosen one. Only another one than the first stands in the address."""
    by_id, linked = {one.id: one for one in results}, url_state.chosen(PARAM)
    if linked and linked not in by_id and st.session_state.get(SAID) != reruns.visit_number():
        pick.warn_missing(linked)  # the story below is of another result than the link's
    st.session_state[SAID] = reruns.visit_number()
    first = results[0].id
    key = pick.box_key(KEY, linked if linked in by_id else first)
    chosen = st.selectbox(
        "Result", list(by_id), format_func=pick.label_function({one.id: one.name for one in results}), key=key,
        help=HELP, on_change=_keep, args=(key, first), width="stretch",
    )  # fmt: skip
    return str(chosen)


def _keep(key: str, first: str) -> None:
    if pick.is_shown_box(KEY, key):
        chosen = st.session_state[key]
        url_state.put(PARAM, "" if chosen == first else chosen)
