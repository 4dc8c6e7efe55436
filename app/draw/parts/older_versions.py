"""What was drawn on older versions of a data set since the newest was registered, and where to draw now."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import actions
from app.ui import next_step
from app.ui.messages import errors_shown
from slim_core.formatting import counted

if TYPE_CHECKING:
    from slim_core.store import Dataset, Store


def show(dataset: Dataset) -> None:
    """On an older version the way to the newest; on the newest a button that brings what was drawn on older ones."""
    store = session.store()
    newest = store.datasets.versions(dataset)[0]
    if newest.id != dataset.id:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown("This is an older version of the data. Drawings belong on the newest.", width="stretch")
            next_step.link("draw", "Newest version", icon="update", dataset=newest.id)
        return
    n = _count(store, dataset.id, store.later_drawings.mark(dataset.id))
    if n and session.viewer().may("annotator"):
        _offer(dataset.id, n)


def _offer(dataset: str, n: int) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        has = "has" if n == 1 else "have"
        st.markdown(f"{counted(n, 'drawing')} {has} since been made on an older version.", width="stretch")
        st.button("Carry over", icon=":material/move_down:", key="bring-drawings", on_click=_bring, args=(dataset,))


def _bring(dataset: str) -> None:
    with errors_shown():
        if n := actions.bring_drawings(dataset):  # none by a second click, for which Streamlit calls this again
            st.toast(f"{counted(n, 'drawing')} carried over.", icon=":material/check_circle:")


@lru_cache(maxsize=16)
def _count(store: Store, dataset: str, mark: tuple[int, ...]) -> int:  # noqa: ARG001  # images are read once a mark
    return sum(len(each.shapes) for each in store.later_drawings.find(dataset))
