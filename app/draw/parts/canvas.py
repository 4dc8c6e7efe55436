"""The component one draws with: its frame, and what the browser needs. Drawings go straight to the routes."""

from __future__ import annotations

import streamlit as st

from app import session
from app.routes.assets import asset_url, static
from app.routes.images import MAX_SIZE, ROW, image_url
from app.services import shape_progress
from app.ui.links.numbers import number_of

MODULE = "draw/draw.js"
URLS = {"image": "/api/shapes/image", "shapes": "/api/shapes"}

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
    token, named = session.token(dataset=dataset), st.query_params.get("row", "")
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
        "last": len(session.store().datasets.table(dataset)) - 1,
        "row": number_of(named),
        "progress": shape_progress.coverage(dataset, split).wire(),
    }
    _mount(key=f"draw-{dataset}-{split}", data=data, on_saved_change=_nothing, on_renew_change=_nothing)


def _nothing() -> None:
    """The run of the page that a trigger causes is all that is needed."""
