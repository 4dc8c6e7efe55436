"""The demo set, written on the spot and registered; and the bar of an import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.services import actions
from app.ui import next_step
from app.ui.messages import errors_shown, verbatim

if TYPE_CHECKING:
    from slim_core.data.report import Progress
    from slim_core.store import Dataset


_ASKED = "demo-data-asked"  # of the session: the button was pressed, and the set is not registered yet


def button() -> None:
    """Asks for the demo data set; ``register`` follows on the page."""
    about = "Writes 4,200 images of 64 px into SLIM_HOME."
    st.button("Try the demo data", icon=":material/draw:", help=about, on_click=_ask)


def _ask() -> None:
    st.session_state[_ASKED] = True


def register() -> None:
    """Write the demo data set into SLIM_HOME, register it and open it, where that was asked for.

    A click elsewhere ends this run of the page, and what it does: the next one finds still what was asked for.
    """
    if _ASKED not in st.session_state:
        return
    bar, dataset = st.progress(0.0, text="Drawing the demo images"), None
    with errors_shown():
        try:
            dataset = actions.register_demo(onto(bar))
        except Exception:  # not what ends a run of the page
            del st.session_state[_ASKED]
            raise
    if dataset is not None:
        del st.session_state[_ASKED]
        open_page(dataset)
    bar.empty()


def open_page(dataset: Dataset, imported_as: str | None = None) -> None:
    """The page of a data set that was registered just now; ``imported_as``: under the name that was asked for."""
    if other := dataset.known_otherwise(imported_as or dataset.name):
        st.toast(f"{verbatim(other)} Rename them under *Name, note, tags*.", icon=":material/info:", duration="long")
    else:
        text = f"{verbatim(dataset.name)} is registered: {dataset.n_images:,} images."
        st.toast(text, icon=":material/check_circle:")
    next_step.go_to("data", dataset=dataset.id)


def onto(bar: st.delta_generator.DeltaGenerator) -> Progress:
    """Progress that is drawn on a bar."""

    def progress(done: int, total: int, doing: str) -> None:
        bar.progress(min(1.0, done / max(1, total)), text=f"{doing}: {done:,} of {total:,}")

    return progress
