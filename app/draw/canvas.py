"""The component one draws with: its frame, and what the browser needs. Drawings go straight to the routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.routes.assets import asset_url, below, static
from app.routes.images import MAX_SIZE, ROW, image_url
from app.services import queueing, shape_progress
from app.ui import next_step, pick, progress, reruns
from app.ui.messages import errors_shown, verbatim
from app.ui.reruns import number_of
from slim_core.formatting import counted

if TYPE_CHECKING:
    from slim_core.store import Dataset


MODULE, PARAM = "draw/draw.js", "row"
URLS = {"image": below("/api/shapes/image"), "shapes": below("/api/shapes")}

_mount = st.components.v2.component(
    "slim_draw",
    html=static("draw/draw.html").read_text(),
    css=static("draw/draw.css").read_text(),
    js=static("ui/loader.js").read_text(),
)


def show_canvas(dataset: str, split: str) -> None:
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
    named = reruns.chosen_in_address(PARAM, *of)
    row = number_of(named)
    if named and (row is None or row > last):
        reruns.put_in_address(PARAM, "")
        pick.toast_missing(f"Image {verbatim(named)} from the address is not in this data set of {last + 1:,} images.")
        return None
    return row


def _nothing() -> None:
    """The run of the page that a trigger causes is all that is needed."""


def leads_to_newest(dataset: Dataset) -> bool:
    """True on an older version, which keeps its drawings as they are: shown is the way to the newest."""
    newest = session.store().datasets.versions(dataset)[0]
    if newest.id == dataset.id:
        return False
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown("This is an older version of the data. Drawings belong on the newest.", width="stretch")
        next_step.link("draw", "Newest version", icon="update", dataset=newest.id)
    return True


HELP = "Scores evaluations and attention maps of this data set again. Stored maps are reused, so no model runs."


def show_scores(dataset: str) -> None:
    """Scoring that is under way, or how it ended; how many finished runs know other shapes, and the button."""
    progress.show_pipelines(dataset, lambda one: one.kind == "scores")
    behind = queueing.outdated(dataset)
    if not behind:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        were = "was" if len(behind) == 1 else "were"
        st.markdown(f"{counted(len(behind), 'run')} {were} scored before the last drawing.", width="stretch")
        if not next_step.offers("lead", "Scoring again"):
            return
        if st.button("Score again", icon=":material/calculate:", key="score-again", help=HELP):
            with errors_shown():
                queueing.score_again(behind)
                st.rerun()  # its progress is shown in place of this box
