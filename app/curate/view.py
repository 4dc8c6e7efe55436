"""Curate on the page: choices on the left, what they give on the right, and the button that queues it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import session
from app.services import subset
from app.services.results import space_data
from app.services.results.space_data import SpaceData
from app.services.subset import SubsetChoice
from app.ui import next_step, pictures, run_state, submit, tables
from app.ui.groups import ESTIMATED
from app.ui.messages import errors_shown, explain, verbatim
from app.ui.tables import halves
from slim_core.curation import LABELS_USED, CurateOptions, Subset
from slim_core.curation.cells import alone_in_environment
from slim_core.data.groups import GROUPS_IN_TRAINING, NO_GROUP, Grouping, unique_names
from slim_core.evaluation.charts import results
from slim_core.evaluation.charts.layout import CHOSEN, REPEATED, WHOLE, base_layout
from slim_core.evaluation.charts.results import MOST, empty_note
from slim_core.formatting import counted, percent
from slim_core.parameters import Parameter, parameters
from slim_core.runs.trainings import usual_curation_of
from slim_core.steps.specs import STEPS

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slim_core.store import Campaign, Run


def show_curation(space: Run, campaign: Campaign | None, controls: DeltaGenerator, results: DeltaGenerator) -> None:
    """The preview follows every change; nothing is kept before the button is pressed."""
    data = space_data.load(space.id)
    with controls:
        choice = show(data, campaign.id if campaign else None)
        dataset = space.dataset_id
        submit.button(
            "Curate this subset", lambda: choice.spec(dataset), dataset=dataset, key="submit-curate", icon="filter_alt"
        )
    with results, errors_shown():
        if choice.needs_answers and campaign is None:
            ask = next_step.can("lead", "open a campaign about some images")
            st.info(f"This strategy needs answers: {ask}. Or choose another strategy.")
            next_step.link("annotate", "Annotate", dataset=space.dataset_id, space=space.id)
            return
        _preview(data, choice)


def _preview(data: space_data.SpaceData, choice: subset.SubsetChoice) -> None:
    n, key = len(data), f"preview-shown-{data.run}"
    if not subset.is_quick(n, choice.environments) and not st.toggle(f"Preview the subset of {n:,} images", key=key):
        return
    with st.spinner("Choosing images ..."):
        chosen = subset.preview(choice)
    left, right = halves(data.groups.names, gap="medium")
    with left:
        st.markdown("**Propagated score**", help=about_scores(chosen))
        if choice.uses_answers and choice.campaign is not None:
            show_scores(data, chosen)
        else:
            st.caption("No answers are used." if choice.uses_answers else "This strategy uses no answers.")
    with right:
        st.markdown("**Groups before and after**", help="Share of images in each group.")
        show_balance(data, chosen)
    show_subset(data, chosen)


SHOWN = 48  # chosen images on the page
FEW_CELLS = 3  # cells that are named


def show_subset(data: SpaceData, subset: Subset) -> None:
    """Notes, numbers, and the details in tabs."""
    run_state.show_notes(subset.report["notes"])
    _numbers(subset)
    cells, images = st.tabs(["Cells", "Chosen images"])
    with cells:
        show_cells(subset, data.table.label_names)
    with images:
        show_images(data, subset)


def _numbers(subset: Subset) -> None:
    report = subset.report
    columns = st.columns(4)
    columns[0].metric("Images", f"{report['images']:,}", border=True, help=f"{explain('subset')} Includes repeats.")
    columns[1].metric("Distinct", f"{report['unique']:,}", border=True, help="Images without repeats.")
    columns[2].metric("Repeats", f"{report['repeated']:,}", border=True, help=explain("repeat"))
    label, value, about = _judged(report)
    columns[3].metric(label, value, border=True, help=about)


def _judged(report: Mapping[str, Any]) -> tuple[str, str, str]:
    """Label, value and help of the number that the answers decide."""
    kept, wrong = report.get("keep"), _wrong(report)
    if wrong is not None:
        total = sum(one["size"] for one in report["classes"])
        about = f"Images whose attention is assumed wrong: {wrong:,} of {total:,}."
        about = f"{about} The surroundings it falls on are balanced as well."
        return "Wrong attention", percent(wrong / total, 0), about
    if not kept:
        return "Trusted", "not used", explain("trusted image")
    share = f"{kept['trusted']:,} of {kept['total']:,}."
    return "Trusted", percent(kept["trusted"] / kept["total"], 0), f"{explain('trusted image')} {share}"


def about_scores(subset: Subset) -> str:
    """What its scores are, as markdown."""
    if _wrong(subset.report) is None:
        return explain("propagated score")
    return f"{explain('propagated score')} Here it rests on how what the model looks at differs from the surroundings."


def show_scores(data: SpaceData, subset: Subset) -> None:
    """The scores that the subset follows, and from where on it keeps them or takes them for right."""
    classes = pd.Categorical.from_codes(data.labels, pd.Index(unique_names(data.table.label_names)))
    frame = pd.DataFrame({"score": subset.scores, "class": classes})
    if frame["score"].isna().all():
        st.caption("No image of this campaign is answered yet: every score is unknown.")
        return
    alt = "Histogram of the propagated scores by class"
    tables.show_chart(results.score_histogram(frame, *_line(subset)), key="score-histogram", alt=alt)


def _line(subset: Subset) -> tuple[float | None, str]:
    """The score that parts the images, None where nothing does, and what those above it are."""
    report = subset.report
    wrong = _wrong(report)
    if wrong is None:
        return report["options"]["threshold"] if report.get("keep", {}).get("rule") == "threshold" else None, "kept"
    return float(np.sort(subset.scores)[wrong]) if wrong < len(subset.scores) else None, "right"


def _wrong(report: Mapping[str, Any]) -> int | None:
    """Images whose attention is assumed wrong, where the classes are balanced once more by that."""
    wrong: int | None = report.get("clusters", {}).get("images_wrong")
    return wrong


def balance_frame(groups: Grouping, positions: np.ndarray, counts: np.ndarray) -> pd.DataFrame:
    """One row a group with name, before and after: images in the split and, repeats included, in the subset.

    A last row counts the images of no known group, where there are any: shares are then of all images.

    Args:
        groups: of the N images of the split.
        positions: (M,) of the chosen ones among them, and counts: (M,) how often each is used.
    """
    names = [*groups.names, NO_GROUP]
    index = np.where(groups.index < 0, len(groups.names), groups.index)
    before = np.bincount(index, minlength=len(names))
    after = np.bincount(index[positions], counts, minlength=len(names)).astype(int)
    frame = pd.DataFrame({"name": names, "before": before, "after": after})
    return frame if before[-1] else frame[:-1]


def show_balance(data: SpaceData, subset: Subset) -> None:
    """Groups before and after."""
    frame = balance_frame(data.groups, subset.positions, subset.counts)
    if data.groups.estimated:
        st.caption(ESTIMATED)
    alt = "Share of each group in the split and in the subset"
    tables.show_chart(group_balance(frame), key="group-balance", alt=alt)


def show_cells(subset: Subset, label_names: tuple[str, ...]) -> None:
    """Images of each cell, and how many are chosen."""
    listed = subset.report["cells"]
    names = ["all" if one["class"] is None else label_names[one["class"]] for one in listed]
    cells = pd.DataFrame(listed).assign(**{"class": names})
    frame = cells.assign(chosen=cells["unique"])
    tables.show_chart(cells_chart(frame), key="cells", alt="Images chosen and repeated per cell")
    is_balanced_twice = _wrong(subset.report) is not None
    if not is_balanced_twice and (alone := left_out(listed)):
        what = f"{counted(len(alone), 'cell')} {'is' if len(alone) == 1 else 'are'}"
        shown = "; ".join(map(verbatim, alone[:FEW_CELLS])) + ("; ..." if len(alone) > FEW_CELLS else "")
        st.caption(f"{what} left out, since only one class occurs in the environment: {shown}.")
    with st.expander("Cells as a table", icon=":material/table:"):
        st.dataframe(cells, hide_index=True, placeholder="–", alt="Images of each cell and how many are chosen")


def left_out(listed: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the cells (of a subset's report) that give nothing, since no other class occurs where they lie."""
    alone = alone_in_environment(listed)
    return [one["cell"] for one, is_alone in zip(listed, alone, strict=True) if is_alone and not one["budget"]]


def show_images(data: SpaceData, subset: Subset) -> None:
    """Some of the chosen images, evenly spread over the subset."""
    at = np.unique(np.linspace(0, len(subset.positions) - 1, min(SHOWN, len(subset.positions))).astype(int))
    chosen = data.scores.iloc[subset.positions[at]]
    repeats = [f", {count}×" if count > 1 else "" for count in subset.counts[at]]
    names = map(pictures.called, chosen.to_dict("records"))
    captions = [f"{name}{repeat}" for name, repeat in zip(names, repeats, strict=True)]
    pictures.strip(data.dataset, chosen["row"].tolist(), captions, data.maps)
    st.caption(f"{len(at)} of {len(subset.positions):,} distinct images shown.")


ABOUT = {
    "slim": "Every class equally often in every environment; the answers find or weight the environments.",
    "slim-reference": "The steps of the paper as written, with its errors fixed.",
    "random": "Random images: the baseline for every other strategy.",
    "class-balanced": "The same number of random images per class.",
    "oracle": "The same number of random images per true group; needs an attribute.",
}
_IN_ITS_OWN_WAY = ("kind", "strategy", "size", "options")


def _uses_groups(strategy: str) -> bool:
    return LABELS_USED.get(strategy) == GROUPS_IN_TRAINING


def show(data: SpaceData, campaign: str | None) -> SubsetChoice:
    """The controls, as one choice."""
    spec = STEPS["curate"].spec
    asked = parameters(spec)
    names = [name for name in asked["strategy"].choices if data.table.has_attributes or not _uses_groups(name)]
    strategy = st.selectbox(
        asked["strategy"].label, names, key="curate-strategy", help="Compare strategies on the Compare page."
    )
    st.caption(ABOUT.get(strategy, ""))
    n = len(data)
    store = session.store()
    usual_size, usual = usual_curation_of(store, store.runs.fetch(data.run), strategy)
    size = st.number_input(
        f"{asked['size'].label} (of {n:,})", data.table.n_classes, n, max(usual_size, data.table.n_classes),
        key=f"curate-size-{data.run}", help=asked["size"].help,  # what is usual in one space is not in another
    )  # fmt: skip
    own, options = (
        submit.form_parameters(spec, without=_IN_ITS_OWN_WAY),
        submit.form_parameters(spec.holds["options"]),
    )
    proposed = {**CurateOptions.proposed(strategy), **usual}
    chosen = submit.fields(
        [*own, *options], proposed, key=f"curate-{strategy}-{data.run}", beside={"strategy": strategy},
        a_row=1,
    )  # fmt: skip
    settings = tuple((each.name, chosen[each.name]) for each in own if each.name != "seed")
    return SubsetChoice(data.run, campaign, strategy, size, chosen["seed"], tuple(_given(options, chosen)), settings)


def _given(options: Sequence[Parameter], chosen: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Settings of the strategy; those that are folded away only where changed."""
    for each in options:
        if each.name in chosen and (each.display.place == "form" or chosen[each.name] != each.default):
            yield each.name, chosen[each.name]


FEW_IMAGES = 6  # images of a cell, below which an axis would have parts of images


def group_balance(frame: pd.DataFrame) -> go.Figure:
    """Share of each group in the split and in the subset; of more than MOST groups those whose share changes most.

    ``frame``: one row a group with name, before and after (numbers of images). Groups without images,
    as many estimated ones are, take no room, and the axis says so.
    """
    empty = frame.loc[frame["before"] == 0, "name"].tolist()
    frame = frame[frame["before"] > 0]
    n_groups, totals = int((frame["name"] != NO_GROUP).sum()), frame[["before", "after"]].sum().clip(lower=1)
    if n_groups > MOST:
        change = (frame["after"] / totals["after"] - frame["before"] / totals["before"]).abs()
        frame = frame.loc[change.nlargest(MOST).index]
    figure = go.Figure()
    for column, name, colour in (("before", "whole split", WHOLE), ("after", "subset", CHOSEN)):
        figure.add_bar(
            y=frame["name"],
            x=frame[column] / totals[column] * 100,
            name=name,
            orientation="h",
            marker_color=colour,
            customdata=frame[column],
            hovertemplate="%{y}<br>" + name + ": %{x:.1f} %, %{customdata} images",
        )
    left_out = "" if n_groups <= MOST else f"<br>the {MOST} of {n_groups:,} groups that change most"
    return base_layout(
        figure,
        height=110 + 30 * max(len(frame), 1),
        x={"title": f"share of the images{left_out}{empty_note(empty)}", "ticksuffix": " %", "rangemode": "tozero"},
        y={"autorange": "reversed", "automargin": True},
    )


def cells_chart(frame: pd.DataFrame) -> go.Figure:
    """Images of each cell, chosen and repeated; of more than MOST cells those with the most repeats, then the smallest.

    ``frame``: one row a cell with cell (name), size, chosen (distinct images) and repeated (images drawn again).
    """
    n_cells = len(frame)
    if n_cells > MOST:
        frame = frame.sort_values(["repeated", "size"], ascending=[False, True], kind="stable").head(MOST)
    figure = go.Figure()
    parts = (("chosen", "chosen", CHOSEN), ("repeated", "repeats", REPEATED))
    for column, name, colour in parts:
        figure.add_bar(
            y=frame["cell"].astype(str),
            x=frame[column],
            name=name,
            orientation="h",
            marker_color=colour,
            customdata=frame[["chosen", "size", "repeated"]],
            hovertemplate="%{y}<br>%{customdata[0]} of %{customdata[1]} images, %{customdata[2]} repeats",
        )
    few = {"dtick": 1} if (frame["chosen"] + frame["repeated"]).max() < FEW_IMAGES else {}
    left_out = "" if n_cells <= MOST else f"<br>the {MOST} of {n_cells:,} cells with the most repeats"
    return base_layout(
        figure,
        height=110 + 24 * max(len(frame), 1),
        x={"title": f"images{left_out}", **few},
        y={"autorange": "reversed", "automargin": True},
        barmode="stack",
    )
