"""Registering data: by path, with what the import found; or the demo set, written on the spot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.services import actions
from app.ui import import_report, pages
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from slim_core.data.importing import FORMATS
from slim_core.settings import settings

if TYPE_CHECKING:
    from slim_core.store import Dataset

SNIFF = "detect"


def form() -> None:
    """Path, format and its options; shows the report, and opens the data set where it was registered."""
    path = st.text_input(
        "Folder or metadata file on this machine",
        placeholder="/data/waterbird_complete95_forest2water2",
        help="Images are not copied. Allowed folders: " + ", ".join(map(str, settings().data_roots)),
    )
    kind = st.selectbox("Format", [SNIFF, *FORMATS], format_func=_described)
    name = st.text_input("Name", placeholder="the folder's name")
    options = _options(kind)
    # Never off: a field gives its text away when it is left, so that the first click would only wake the button.
    pressed = st.button("Check and register", type="primary")
    if pressed and not path.strip():
        st.warning("Enter the path of a folder or of a metadata file above.", icon=":material/edit:")
    elif pressed:
        _register(path.strip(), None if kind == SNIFF else kind, name.strip() or None, options)
    import_report.show_last()


def demo_button() -> None:
    """Write the demo data set into SLIM_HOME and register it."""
    if st.button("Try the demo data", icon=":material/draw:", help="Writes 4,200 images of 64 px into SLIM_HOME."):
        _demo()


def _described(kind: str) -> str:
    return "Detected from the files" if kind == SNIFF else f"{kind}: {FORMATS[kind].about}"


def _options(kind: str) -> dict[str, str]:
    if kind == SNIFF:
        return {}
    with st.expander("Options of this format"):
        given = {
            name: st.text_input(name.replace("_", " "), key=f"option-{kind}-{name}") for name in FORMATS[kind].options
        }
    return {name: value.strip() for name, value in given.items() if value.strip()}


def _register(path: str, kind: str | None, name: str | None, options: dict[str, str]) -> None:
    bar = st.progress(0.0, text="Reading the metadata")
    with errors_shown():
        report, dataset = actions.register(path, format=kind, name=name, options=options, progress=_onto(bar))
        import_report.keep_last(report)
        if dataset is not None:
            _open(dataset)
    bar.empty()


def _demo() -> None:
    bar = st.progress(0.0, text="Drawing the demo images")
    with errors_shown():
        _open(actions.register_demo(_onto(bar)))
    bar.empty()


def _open(dataset: Dataset) -> None:
    st.toast(f"{verbatim(dataset.name)} is registered: {dataset.n_images:,} images.", icon=":material/check_circle:")
    pages.go_to("data", dataset=dataset.id)


def _onto(bar: st.delta_generator.DeltaGenerator) -> actions.Progress:
    def progress(done: int, total: int, doing: str) -> None:
        bar.progress(min(1.0, done / max(1, total)), text=f"{doing}: {done:,} of {total:,}")

    return progress
