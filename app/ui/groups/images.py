"""The images behind a number: a click on a bar, row or cell names them in the address (?cell=run.part.which&page=2),
and they are shown below it, wrong ones first, each beside its attention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import session
from app.services.results.comparison import maps_of, predictions_of, slices_of
from app.ui import chart, next_step
from app.ui.choosing import paging, pick, url_state
from app.ui.choosing.url_state import number_of
from app.ui.escape import verbatim
from app.ui.images import pictures
from app.ui.images.pictures import Tile, View, quiet, under, verdict
from app.ui.messages import errors_shown
from slim_core.evaluation.predictions import wrong_first
from slim_core.formatting import percent
from slim_core.metrics import ATTENTION_PRECISION

if TYPE_CHECKING:
    from app.services.results.comparison import Compared
    from slim_core.evaluation.ancestry import Ancestry
    from slim_core.store import Run

PER_PAGE, SIDE_PX = 24, 104
LOW = 8  # percent: a bar below it is hard to hit
PARAM, PAGE = "cell", "page"  # of the address
CHOICE = "images-of-a-group"  # key of the menu
OUTCOMES = ("all", "wrong", "right")


def clickable(figure: go.Figure, key: str, alt: str) -> None:
    """A chart of which each mark opens its images: the first of its custom data is the cell."""

    def clicked() -> None:
        points = st.session_state[key]["selection"]["points"]
        opened(str(points[0]["customdata"][0]) if points else None)

    _reach_low_bars(figure)
    # as Streamlit sets them once the chart is drawn: until it is drawn again with them, clicks would be lost
    figure.update_layout(clickmode="event+select", hovermode="closest", dragmode="pan")
    chart.show(figure, key=key, alt=alt, on_select=clicked, selection_mode="points")


def _reach_low_bars(figure: go.Figure) -> None:
    """Over bars that are too low to be pressed, the worst groups mostly, invisible ones with the same images."""
    for place, bar in enumerate(list(figure.select_traces({"type": "bar"}))):
        size, across = ("x", "y") if bar.orientation == "h" else ("y", "x")
        rates = np.asarray(bar[size], float)
        low = np.flatnonzero(rates < LOW)
        bar.offsetgroup = str(place)  # bars of one group stand over each other, those of another beside it
        if len(low):
            figure.add_bar(
                **{size: LOW - rates[low], across: np.asarray(bar[across], object)[low]},
                base=rates[low],
                orientation=bar.orientation,
                offsetgroup=bar.offsetgroup,
                name=bar.name,
                showlegend=False,
                marker={"opacity": 0},
                customdata=np.asarray(bar.customdata, object)[low],
                hovertext=[f"{rate:.1f}" for rate in rates[low]],
                hovertemplate=bar.hovertemplate.replace(f"%{{{size}:.1f}}", "%{hovertext}"),
            )


def choice(cells: Mapping[str, str]) -> None:
    """A menu of what a chart's marks open, for the keyboard; ``cells``: cell -> what it is called.

    No select box: the browser may report what it showed before a bar was clicked, which would undo the click.
    """
    if not cells:  # the attribute of no evaluated image is known: a menu without an entry is refused
        return
    called = pick.label_function(cells)
    st.menu_button(
        "Images of a group", list(cells), key=CHOICE, icon=":material/photo_library:",
        format_func=lambda one: verbatim(called(one)), on_click=lambda: opened(st.session_state[CHOICE]),
    )  # fmt: skip


def clicked_row(key: str, cells: Sequence[str]) -> Any:
    """``on_select`` of a table whose rows open the cells."""

    def clicked() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        opened(cells[rows[0]] if rows else None)

    return clicked


def opened(cell: str | None) -> None:
    """Name the cell in the address, from its first page on; None closes it."""
    url_state.put(PARAM, cell or "")
    if cell is None:
        url_state.keep(PAGE, "")


def panel(compared: Compared, part: str, evaluation: str | None = None) -> None:
    """The images of the cell in the address, where it is of this ``part`` (and of this evaluation)."""
    place = st.container()  # made in any case: where it came and went, the charts below it would be made anew
    run_id, _, rest = url_state.chosen(PARAM).partition(".")
    kind, _, which = rest.partition(".")
    if not which or kind not in part.split("|") or (evaluation is not None and evaluation != run_id):
        return
    run = compared.evaluations.get(run_id)
    with place, st.container(border=True), errors_shown():
        if run is None:
            st.info("The run of these images was deleted, or belongs to another data set.")
            opened(None)  # it is said once
            return
        found, title = _behind(run, compared.ancestry, kind, which)
        _images(compared, run, found, title)


def _behind(run: Run, ancestry: Ancestry, kind: str, which: str) -> tuple[pd.DataFrame, str]:
    """The images of a group (index), slice (index), class (index) or cell of the confusion matrix (true-predicted)."""
    frame = predictions_of(run)
    numbers = [number for part in which.split("-") if (number := number_of(part)) is not None] or [-1]
    if kind == "slice":
        grouping = slices_of(run, ancestry).grouping
        name = grouping.names[numbers[0]] if 0 <= numbers[0] < len(grouping.names) else "unknown slice"
        return frame[grouping.index == numbers[0]], name
    if kind == "confusion":
        found = frame[(frame["label"] == numbers[0]) & (frame["prediction"] == numbers[-1])]
        names = session.store().datasets.table(run.dataset_id).label_names
        known = [names[n] if 0 <= n < len(names) else "?" for n in (numbers[0], numbers[-1])]
        return found, f"{known[0]}, predicted {known[1]}"
    found = frame[frame["group"] == numbers[0]]
    return found, str(found["group_name"].iloc[0]) if len(found) else "unknown group"


def _images(compared: Compared, run: Run, found: pd.DataFrame, title: str) -> None:
    n_wrong = int((~found["correct"]).sum())
    with st.container(horizontal=True, vertical_alignment="center"):
        where = f"**{verbatim(title)}** in {verbatim(compared.rows['label'].get(run.id, run.id))}"
        st.markdown(f"{where}: {n_wrong:,} wrong of {len(found):,}", width="stretch")
        outcome = st.segmented_control("Which", OUTCOMES, default="all", required=True, key="behind",
                                       bind="query-params", label_visibility="collapsed")  # fmt: skip
        next_step.link("jobs", "Run", icon="account_tree", run=run.id)
        st.button("Close", icon=":material/close:", type="tertiary", on_click=opened, args=(None,), key="close-cell")
    found = found if outcome == "all" else found[found["correct"] == (outcome == "right")]
    if found.empty:
        st.caption(f"No prediction is {outcome}." if outcome != "all" else "No images.")
        return
    maps = maps_of(run, compared.ancestry)
    if maps is None:
        st.caption("These images have no attention maps. Evaluate the model again, or compute its attention maps.")
    of = f"{url_state.read(PARAM)} {outcome}"
    page = wrong_first(found).iloc[paging.shown(len(found), PER_PAGE, "images-behind", of, param=PAGE)]
    pictures.linked(run.dataset_id, [tile(record, maps) for record in page.to_dict("records")], side=SIDE_PX)


def tile(record: Mapping[Any, Any], maps: str | None) -> Tile:
    """One image with its attention beside it, what was predicted, and where the attention lies."""
    map_of = pictures.shown_class(record, maps)
    views = [View(), under(maps, map_of=map_of)] if maps else [View()]
    outcome = verdict(record["correct"], f"predicted {record['prediction_name']}", record["confidence"])
    lines = [outcome, pictures.shown_words(record, map_of), quiet(attention_text(record))]
    return Tile(record["row"], views, [line for line in lines if line])


def attention_text(record: Mapping[Any, Any]) -> str:
    """Where the attention of one image lies, in a few words; its row."""
    if record.get("no_evidence"):
        return f"no attention for its label · image {record['row']}"
    precision = record.get(ATTENTION_PRECISION)
    if precision is None or precision != precision:  # NaN: no mask
        return f"image {record['row']}"
    return f"{percent(precision, 0)} of the attention on the object · image {record['row']}"
