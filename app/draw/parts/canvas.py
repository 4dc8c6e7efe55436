"""The component one draws with: its frame, and what the browser needs. Drawings go straight to the routes."""

from __future__ import annotations

import streamlit as st

from app import session
from app.routes.assets import asset_url, below, static
from app.routes.images import MAX_SIZE, ROW, image_url
from app.services import shape_progress
from app.ui.choosing import pick, url_state
from app.ui.choosing.url_state import number_of
from app.ui.escape import verbatim

MODULE, PARAM = "draw/draw.js", "row"
URLS = {"image": below("/api/shapes/image"), "shapes": below("/api/shapes")}

_mount = st.components.v2.component(
    "slim_draw",
    html=static("draw/draw.html").read_text(),
    css=static("draw/draw.css").read_text(),
    js=static("ui/loader.js").read_text(),
)


def show(dataset: str, split: str) -> None:
    """The images of a split, one at a time, from the one that the address names (?row=5) on.

    A drawing that was kept, and a token that has expired, run the page again.
    """
    rows, n_open = shape_progress.proposed(dataset, split)
    token, last = session.token(dataset=dataset), len(session.store().datasets.table(dataset)) - 1
    data = {
        "module": asset_url(MODULE),
        "urls": URLS,
        "token": token,
        "dataset": dataset,
        "split": split,
        "image": image_url(dataset, ROW, token, kind="whole", size=MAX_SIZE),
        "rows": rows,
        "open": n_open,
        "drawn": sorted(session.store().shapes.all(dataset)),
        "last": last,
        "row": _named(last, dataset, split),
        "progress": shape_progress.coverage(dataset, split).wire(),
    }
    _mount(key=f"draw-{dataset}-{split}", data=data, on_saved_change=_nothing, on_renew_change=_nothing)


def _named(last: int, *of: str) -> int | None:
    """The image of the address; one that the data set does not have is taken out of it, and that is said.

    So is the one of a link where another data set or split (``of``) is chosen after it, without a word.
    """
    named = url_state.chosen(PARAM, *of)
    row = number_of(named)
    if named and (row is None or row > last):
        url_state.put(PARAM, "")
        pick.toast_missing(f"Image {verbatim(named)} from the address is not in this data set of {last + 1:,} images.")
        return None
    return row


def _nothing() -> None:
    """The run of the page that a trigger causes is all that is needed."""
