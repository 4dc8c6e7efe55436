"""The groups of one evaluated model: every number with its n and interval, and the images behind it one click away.

A click on a bar, row or cell names them in the address (?cell=run.part.which&page=2), and they are shown below it,
wrong ones first, each beside its attention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import session
from app.services.results.comparison import compared_on, estimates_groups, maps_of, predictions_of, read, slices_of
from app.ui import next_step, pick, pictures, reruns, tables
from app.ui.messages import errors_shown, explain, prose, verbatim
from app.ui.pictures import Tile, View, quiet, under, verdict
from app.ui.reruns import number_of
from slim_core.errors import NotFoundError
from slim_core.evaluation.charts import results as charts
from slim_core.evaluation.charts.results import ATTENTION, group_frame
from slim_core.evaluation.predictions import MIN_N, mostly, worst_slices, wrong_first
from slim_core.formatting import interval, percent
from slim_core.metrics import (
    ADJUSTED,
    AIOU,
    ATTENTION_PRECISION,
    AVERAGE,
    CONFUSION,
    COVERAGE,
    ESTIMATED_GROUPS,
    N_MASKS,
    WGA,
    WORST_CLASS,
    N,
    listed_groups,
    of_environments,
    ungrouped,
    worst_shown,
)

if TYPE_CHECKING:
    from app.services.results.comparison import Compared
    from slim_core.evaluation.comparison import Ancestry
    from slim_core.store import Run

ESTIMATED = "These groups are estimated, class x environment, not given by an attribute."
ONLY_CLASSES = "Attributes are unknown, and these groups are only the classes: *Evaluate on {}* finds environments."
TOO_FEW = "Attributes are unknown, and these groups are only the classes: {} has too few images to find environments."
TABLE_COLUMNS = {
    "group": st.column_config.TextColumn("Group"),
    "n": st.column_config.NumberColumn("Images", format="localized"),
    "accuracy": st.column_config.NumberColumn("Accuracy", format="%.1f %%"),
    "interval": st.column_config.TextColumn("95 % interval", help=explain("95 % interval")),
    ATTENTION_PRECISION: st.column_config.NumberColumn(
        "Attention", format="%.1f %%", help=explain("attention precision")
    ),
    AIOU: st.column_config.NumberColumn("AIoU", format="%.1f %%", help=explain("AIoU")),
}


def show_table(
    metrics: Mapping[str, Any],
    dataset: str,
    cells: Sequence[str] | None = None,
    key: str = "group-table",
    of: Run | None = None,
) -> None:
    """``metrics``: as from metrics.classification_metrics, of this data set; ``cells``: what a click on a row opens.

    ``of``: the evaluation that has these metrics; with it, where attention is not scored on all images, a link to Draw.
    """
    frame = group_frame(metrics)
    clickable = {"on_select": clicked_row(key, cells), "selection_mode": "single-row"} if cells else {}
    shown, height = _rows(frame), tables.height(len(frame))
    st.dataframe(
        shown, hide_index=True, column_config=TABLE_COLUMNS, height=height, placeholder="–", key=key, **clickable
    )
    n, n_images = (metrics.get(key, frame[column].sum()) for key, column in ((N_MASKS, N_MASKS), (N, "n")))
    if of is not None and of.spec.get("attention", True) and n < n_images:  # below: a column would widen the table
        text = f"Attention is scored on {n:,.0f} of {n_images:,} images."
        show_scored(text, metrics.get(COVERAGE, 1), dataset=dataset, split=str(of.spec["split"]))
    if left := ungrouped(metrics):
        st.caption(left)
    if metrics.get(ESTIMATED_GROUPS):
        st.caption(_estimated(metrics, dataset))


def _estimated(metrics: Mapping[str, Any], dataset: str) -> str:
    """What the groups are where attributes are unknown."""
    if of_environments(metrics):
        return ESTIMATED
    known = session.store().datasets.fetch(dataset)
    split = compared_on(known)
    return (ONLY_CLASSES if estimates_groups(known, split) else TOO_FEW).format(split)


def _rows(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a group with the columns of COLUMNS that are known; rates in percent."""
    percent = frame[["accuracy", *ATTENTION]] * 100
    made = pd.DataFrame(
        {
            "group": [
                f"{name} ← worst" if worst else name for name, worst in zip(frame.group, frame.worst, strict=True)
            ],
            "n": frame["n"],
            "accuracy": percent["accuracy"],
            "interval": list(map(interval, frame["low"], frame["high"])),
        }
    )
    known = [key for key in ATTENTION if percent[key].notna().any()]
    return made.join(percent[known])


def show_scored(sentence: str, share: float, *, dataset: str, split: str | None = None) -> None:
    """``sentence``: in words; ``share``: of the images that are scored, 0..1: at 1 nothing is left to draw."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(sentence, help=explain("coverage"), width="content")
        if share < 1 and session.viewer().may("annotator"):
            which = {"draw-split": split} if split else {}
            next_step.link("draw", "Draw the object", icon="draw", dataset=dataset, **which)


FEW = 4  # classes whose matrix fits half a page
MOST = 10  # mistakes that are listed
MISTAKE_COLUMNS = {
    "class": st.column_config.TextColumn("True class"),
    "predicted": st.column_config.TextColumn("Predicted"),
    "n": st.column_config.NumberColumn("Images", format="localized"),
    "share": st.column_config.NumberColumn("Of the class", format="%.1f %%"),
}


def show_confusion(evaluation: Run) -> None:
    """The images of a finished evaluation by true and predicted class; each number opens its images."""
    names = session.store().datasets.table(evaluation.dataset_id).label_names
    counts = np.asarray((evaluation.metrics or {})[CONFUSION])
    if len(names) <= FEW:
        _matrix(evaluation.id, counts, names)
    else:
        _mistakes(evaluation.id, counts, names)


def _matrix(evaluation: str, counts: np.ndarray, names: Sequence[str]) -> None:
    st.markdown("**Confusion matrix**", help=explain("confusion matrix"))
    key, predicted = f"confusion-{evaluation}", [f"Predicted {name}" for name in names]

    def clicked() -> None:
        chosen = st.session_state[key]["selection"]["cells"]
        if not chosen or chosen[0][1] not in predicted:
            return open_cell(None)
        return open_cell(_cell(evaluation, chosen[0][0], predicted.index(chosen[0][1])))

    table = pd.DataFrame(counts, columns=predicted)
    table.insert(0, "True class", list(names))
    st.dataframe(table, hide_index=True, on_select=clicked, selection_mode="single-cell", key=key,
                 alt="Images by true and predicted class")  # fmt: skip
    st.caption("Click a cell to see its images.")


def _mistakes(evaluation: str, counts: np.ndarray, names: Sequence[str]) -> None:
    st.markdown("**Most frequent mistakes**", help=explain("confusion matrix"))
    found = mistakes(counts)
    if found.empty:
        st.caption("No image is misclassified.")
        return
    listed = found.head(MOST)
    table = pd.DataFrame(
        {
            "class": [names[one] for one in listed["true"]],
            "predicted": [names[one] for one in listed["predicted"]],
            "n": listed["n"],
            "share": listed["share"] * 100,
        }
    )
    key = f"mistakes-{evaluation}"
    cells = [_cell(evaluation, *pair) for pair in zip(listed["true"], listed["predicted"], strict=True)]
    st.dataframe(table, hide_index=True, column_config=MISTAKE_COLUMNS, on_select=clicked_row(key, cells),
                 selection_mode="single-row", key=key, alt="Most confused pairs of classes")  # fmt: skip
    st.caption(f"{listed_text(found)} Tick a row to see its images.")


def mistakes(counts: np.ndarray) -> pd.DataFrame:
    """One row a pair of classes that is mixed up, the most frequent first: true and predicted (indices), n (images) and
    share (of the images of the true class, 0..1).

    ``counts``: (K, K) images by true and predicted class.
    """
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    true, predicted = np.nonzero(wrong)
    n = wrong[true, predicted]
    frame = pd.DataFrame({"true": true, "predicted": predicted, "n": n, "share": n / counts.sum(axis=1)[true]})
    return frame.sort_values(["n", "share"], ascending=False, kind="stable", ignore_index=True)


def listed_text(mistakes: pd.DataFrame) -> str:
    """How much of all mistakes is listed."""
    n_wrong, listed = int(mistakes["n"].sum()), int(mistakes["n"].head(MOST).sum())
    if len(mistakes) <= MOST:
        return f"All {n_wrong:,} mistakes." if n_wrong > 1 else "The only mistake."
    return f"{listed:,} of {n_wrong:,} mistakes: the {MOST} most frequent of {len(mistakes):,} pairs of classes."


def _cell(evaluation: str, true: int, predicted: int) -> str:
    return f"{evaluation}.confusion.{true}-{predicted}"


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
    compared = read(evaluation.dataset_id)
    metrics = evaluation.metrics
    if compared is None or metrics is None:
        return
    show_numbers(metrics)
    cells = [f"{evaluation.id}.group.{group['group']}" for group in listed_groups(metrics)]
    bars, table, mistaken, slices = st.tabs(["Every group", "As a table", "Mistakes", "Worst slices"])
    with bars:
        figure = charts.group_bars(charts.group_frame(metrics), cells)
        clickable(figure, f"bars-{evaluation.id}", "Accuracy of each group with its interval")
        st.caption("Click a bar to see its images.")
    with table:
        show_table(metrics, evaluation.dataset_id, cells, key=f"groups-{evaluation.id}", of=evaluation)
    with mistaken:
        show_confusion(evaluation)
    with slices:
        _slices(evaluation, compared)
    images_panel(compared, "group|confusion|slice", evaluation.id)


def show_numbers(metrics: dict[str, Any]) -> None:
    """The four rates of a set of predictions, each with its definition."""
    for column, (key, (title, term)) in zip(st.columns(len(NUMBERS)), NUMBERS.items(), strict=True):
        value = (worst_shown(metrics) or {}).get("accuracy") if key == WGA else metrics.get(key)
        column.metric(title, percent(value), help=explain(term), border=True)


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
        on_select=clicked_row(key, cells), selection_mode="single-row", alt="Slices by rising accuracy",
        height=tables.height(len(found)),
    )  # fmt: skip
    if said := left_out(found, int((~predictions_of(evaluation)["correct"].to_numpy(bool)).sum())):
        st.caption(said)


def left_out(ranked: pd.DataFrame, n_wrong: int) -> str:
    """How many of all mistakes are in no slice that is listed; "" where all are in one."""
    listed = int((ranked["n"] - ranked["correct"]).sum())
    return f"{listed:,} of {n_wrong:,} mistakes: slices under {MIN_N} images are left out." if listed < n_wrong else ""


def slice_rows(evaluation: Run, compared: Compared) -> pd.DataFrame:
    """slice (index) and the columns of SLICE_COLUMNS, lowest accuracy first; ``mostly`` where attributes are known."""
    predicted = predictions_of(evaluation)
    grouping = slices_of(evaluation, compared.ancestry).grouping
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


PER_PAGE, SIDE_PX = 24, 104
LOW = 8  # percent: a bar below it is hard to hit
PARAM, PAGE = "cell", "page"  # of the address
CHOICE = "images-of-a-group"  # key of the menu
OUTCOMES = ("all", "wrong", "right")


def clickable(figure: go.Figure, key: str, alt: str) -> None:
    """A chart of which each mark opens its images: the first of its custom data is the cell."""

    def clicked() -> None:
        points = st.session_state[key]["selection"]["points"]
        open_cell(str(points[0]["customdata"][0]) if points else None)

    _reach_low_bars(figure)
    # as Streamlit sets them once the chart is drawn: until it is drawn again with them, clicks would be lost
    figure.update_layout(clickmode="event+select", hovermode="closest", dragmode="pan")
    tables.show_chart(figure, key=key, alt=alt, on_select=clicked, selection_mode="points")


def _reach_low_bars(figure: go.Figure) -> None:
    """Over bars that are too low to be pressed, the worst groups mostly, invisible ones with the same images."""
    for place, bar in enumerate(list(figure.select_traces({"type": "bar"}))):
        rates = np.asarray(bar.x, float)
        low = np.flatnonzero(rates < LOW)
        bar.offsetgroup = str(place)  # bars of one group stand over each other, those of another beside it
        if len(low):
            figure.add_bar(
                x=LOW - rates[low],
                y=np.asarray(bar.y, object)[low],
                base=rates[low],
                orientation="h",
                offsetgroup=bar.offsetgroup,
                name=bar.name,
                showlegend=False,
                marker={"opacity": 0},
                customdata=np.asarray(bar.customdata, object)[low],
                hovertext=[f"{rate:.1f}" for rate in rates[low]],
                hovertemplate=bar.hovertemplate.replace("%{x:.1f}", "%{hovertext}"),
            )


def images_menu(cells: Mapping[str, str]) -> None:
    """A menu of what a chart's marks open, for the keyboard; ``cells``: cell -> what it is called.

    No select box: the browser may report what it showed before a bar was clicked, which would undo the click.
    """
    if not cells:  # the attribute of no evaluated image is known: a menu without an entry is refused
        return
    called = pick.label_function(cells)
    st.menu_button(
        "Images of a group", list(cells), key=CHOICE, icon=":material/photo_library:",
        format_func=lambda one: verbatim(called(one)), on_click=lambda: open_cell(st.session_state[CHOICE]),
    )  # fmt: skip


def clicked_row(key: str, cells: Sequence[str]) -> Any:
    """``on_select`` of a table whose rows open the cells."""

    def clicked() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        open_cell(cells[rows[0]] if rows else None)

    return clicked


def open_cell(cell: str | None) -> None:
    """Name the cell in the address, from its first page on; None closes it."""
    reruns.put_in_address(PARAM, cell or "")
    if cell is None:
        reruns.keep_in_address(PAGE, "")


def images_panel(compared: Compared, part: str, evaluation: str | None = None) -> None:
    """The images of the cell in the address, where it is of this ``part`` (and of this evaluation)."""
    place = st.container()  # made in any case: where it came and went, the charts below it would be made anew
    run_id, _, rest = reruns.chosen_in_address(PARAM).partition(".")
    kind, _, which = rest.partition(".")
    if not which or kind not in part.split("|") or (evaluation is not None and evaluation != run_id):
        return
    run = compared.evaluations.get(run_id)
    with place, st.container(border=True), errors_shown():
        if run is None:
            st.info("The run of these images was deleted, or belongs to another data set.")
            open_cell(None)  # it is said once
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
        st.button("Close", icon=":material/close:", type="tertiary", on_click=open_cell, args=(None,), key="close-cell")
    found = found if outcome == "all" else found[found["correct"] == (outcome == "right")]
    if found.empty:
        st.caption(f"No prediction is {outcome}." if outcome != "all" else "No images.")
        return
    maps = maps_of(run, compared.ancestry)
    if maps is None:
        st.caption("These images have no attention maps. Evaluate the model again, or compute its attention maps.")
    of = f"{reruns.read_address(PARAM)} {outcome}"
    page = wrong_first(found).iloc[pick.page_rows(len(found), PER_PAGE, "images-behind", of, param=PAGE)]
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
