"""The groups of one evaluated model: every number with its n and interval, and the images behind it one click away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import session
from app.services.results import comparison, predictions
from app.ui import table_height
from app.ui.escape import prose
from app.ui.glossary import explain
from app.ui.groups import confusion, images
from app.ui.groups import table as group_table
from app.ui.links import next_step
from app.ui.side_by_side import halves
from slim_core.errors import NotFoundError
from slim_core.evaluation.charts import groups as charts
from slim_core.evaluation.slices import MIN_N, mostly, worst_slices
from slim_core.formatting import interval, percent
from slim_core.metrics import ADJUSTED, AVERAGE, WGA, WORST_CLASS, listed_groups

if TYPE_CHECKING:
    from app.services.results.comparison import Compared
    from slim_core.store import Run

WIDTHS = (4, 5)
NUMBERS = {
    WGA: ("Worst group", "WGA"),
    AVERAGE: ("Average", "average accuracy"),
    ADJUSTED: ("Adjusted average", "adjusted average"),
    WORST_CLASS: ("Worst class", "worst-class accuracy"),
}
SLICE_COLUMNS = {
    "name": st.column_config.TextColumn("Slice", help=explain("estimated group")),
    "n": st.column_config.NumberColumn("Images", format="localized"),
    "accuracy": st.column_config.NumberColumn("Accuracy", format="%.1f %%"),
    "interval": st.column_config.TextColumn("95 % interval", help=explain("95 % interval")),
    "mostly": st.column_config.TextColumn("Mostly", help="The most frequent attribute of its images, with its share."),
}


def show(evaluation: Run) -> None:
    """Numbers, groups, confusion matrix and worst slices of a finished evaluation."""
    compared = comparison.read(evaluation.dataset_id)
    metrics = evaluation.metrics
    if compared is None or metrics is None:
        return
    show_numbers(metrics)
    groups = listed_groups(metrics)
    cells = [f"{evaluation.id}.group.{group['group']}" for group in groups]
    left, right = halves([group["name"] for group in groups], WIDTHS, gap="large")
    with left:
        figure = charts.group_bars(charts.group_frame(metrics), cells)
        images.clickable(figure, f"bars-{evaluation.id}", "Accuracy of each group with its interval")
    with right:
        group_table.show(metrics, evaluation.dataset_id, cells, key=f"groups-{evaluation.id}", of=evaluation)
        st.caption("Click a bar or tick a row to see its images.")
    images.panel(compared, "group", evaluation.id)
    names = session.store().datasets.table(evaluation.dataset_id).label_names
    left, right = halves(names, WIDTHS, gap="large")
    with left:
        confusion.show(evaluation)
    with right:
        _slices(evaluation, compared)
    images.panel(compared, "confusion|slice", evaluation.id)


def show_numbers(metrics: dict[str, Any]) -> None:
    """The four rates of a set of predictions, each with its definition."""
    for column, (key, (title, term)) in zip(st.columns(len(NUMBERS)), NUMBERS.items(), strict=True):
        column.metric(title, percent(metrics.get(key)), help=explain(term), border=True)


def _slices(evaluation: Run, compared: Compared) -> None:
    help = (
        "Class x environment cluster: images with similar surroundings. No attribute is used. "
        f"Slices under {MIN_N} images are left out."
    )
    st.markdown("**Worst slices, found without attributes** :gray-badge[estimated]", help=help)
    try:
        with st.spinner("Clustering the environments"):
            found = slice_rows(evaluation, compared)
    except NotFoundError as error:
        st.caption(prose(error))
        next_step.link(
            "attention", "Compute attention maps", model=evaluation.spec["model"], dataset=evaluation.dataset_id
        )
        return
    if found.empty:
        st.caption(f"No slice has {MIN_N} images or more.")
        return
    key = f"slices-{evaluation.id}"
    cells = [f"{evaluation.id}.slice.{index}" for index in found["slice"]]
    st.dataframe(
        found[[name for name in SLICE_COLUMNS if name in found]], hide_index=True, column_config=SLICE_COLUMNS, key=key,
        on_select=images.clicked_row(key, cells), selection_mode="single-row", alt="Slices by rising accuracy",
        height=table_height.of(len(found)),
    )  # fmt: skip
    if said := left_out(found, int((~predictions.predictions_of(evaluation)["correct"].to_numpy(bool)).sum())):
        st.caption(said)


def left_out(ranked: pd.DataFrame, n_wrong: int) -> str:
    """How many of all mistakes are in no slice that is listed; "" where all are in one."""
    listed = int((ranked["n"] - ranked["correct"]).sum())
    return f"{listed:,} of {n_wrong:,} mistakes: slices under {MIN_N} images are left out." if listed < n_wrong else ""


def slice_rows(evaluation: Run, compared: Compared) -> pd.DataFrame:
    """slice (index) and the columns of SLICE_COLUMNS, lowest accuracy first; ``mostly`` where attributes are known."""
    predicted = predictions.predictions_of(evaluation)
    grouping = predictions.slices_of(evaluation, compared.ancestry).grouping
    ranked = worst_slices(predicted["correct"].to_numpy(), grouping)
    intervals = list(map(interval, ranked["low"], ranked["high"]))
    found = ranked.assign(accuracy=ranked["accuracy"] * 100, interval=intervals)
    table = session.store().datasets.table(evaluation.dataset_id)
    if not table.has_attributes:
        return found
    attributes = table.attributes[predicted["row"].to_numpy()]
    shares = [mostly(attributes, grouping.index == index) for index in ranked["slice"]]
    names = [f"{table.attribute_names[most]} ({percent(share, 0)})" if most >= 0 else "–" for most, share in shares]
    return found.assign(mostly=names)
