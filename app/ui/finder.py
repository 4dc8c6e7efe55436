"""What a model looks at, in crops and a sentence each, as its attention pass has left it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.ui import pictures
from app.ui.messages import verbatim
from slim_core.attention.thumbnails import SIDE
from slim_core.curation import finder
from slim_core.errors import NotFoundError

if TYPE_CHECKING:
    from slim_core.curation.finder import Finding
    from slim_core.store import Run

MOST_ROWS = 3  # on a page about something else
MOST_LISTED = 60  # three clusters of twenty classes


def show_suspicious(attention: Run | None) -> None:
    """At most one cluster a class, and few in all; nothing where nothing is suspicious, or an older pass kept none."""
    found = {one.label: one for one in reversed(_read(attention)) if one.is_suspicious}
    if attention is not None and found:
        _rows(attention, [*reversed(found.values())][:MOST_ROWS])


def show_all(attention: Run) -> None:
    """Every class, suspicious clusters first."""
    found = _read(attention)
    if not found:
        st.caption("This pass kept no clusters of attention. Compute the maps again, with train among the splits.")
        return
    st.caption("Crops around the strongest attention, drawn evenly from each cluster of a class.")
    _rows(attention, found[:MOST_LISTED])
    if len(found) > MOST_LISTED:
        st.caption(f"The first {MOST_LISTED} of {len(found)} clusters are shown.")


def _read(attention: Run | None) -> Sequence[Finding]:
    if attention is None or attention.status != "done":
        return ()
    try:
        return finder.read(session.store().artifacts.folder(attention.id))
    except NotFoundError:  # its files were removed
        return ()


def _rows(attention: Run, found: Sequence[Finding]) -> None:
    names = session.store().datasets.table(attention.dataset_id).label_names
    for one in found:
        said = one.sentence(names, verbatim) if one.is_suspicious else f"{verbatim(names[one.label])}, a cluster"
        st.markdown(f"{':material/warning: ' if one.is_suspicious else ''}{said}")
        st.html(_crops(attention, one))
        st.caption(one.numbers())


def _crops(attention: Run, one: Finding) -> str:
    """Each image as it is, larger than its frame: the browser shows the part around the peak."""
    view = pictures.View("square", attention.id)
    drawn = (
        f'<span><img src="{html.escape(pictures.address(attention.dataset_id, view, SIDE, crop.row))}" loading="lazy" '
        f'alt="Part of image {crop.row}" style="--left: {crop.left}; --top: {crop.top}; --side: {crop.side}"></span>'
        for crop in one.crops
    )
    return f'<div class="slim-crops">{"".join(drawn)}</div>'
