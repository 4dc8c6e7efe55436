"""A subset on the page: the scores it follows, the groups before and after, its cells and its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.curate import charts
from app.services.results.space_data import SpaceData
from app.ui import chart
from app.ui.escape import verbatim
from app.ui.glossary import explain
from app.ui.groups.report import ESTIMATED
from app.ui.images import pictures
from app.ui.runs import state
from slim_core.curation import Subset
from slim_core.curation.cells import alone_in_environment
from slim_core.data.groups import NO_GROUP, Grouping, unique_names
from slim_core.evaluation.charts import scores
from slim_core.formatting import counted, percent

SHOWN = 48  # chosen images on the page
FEW = 3  # cells that are named


def show(data: SpaceData, subset: Subset) -> None:
    """Notes, numbers, and the details in tabs."""
    state.show_notes(subset.report["notes"])
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
        about = f"Images whose attention is taken to be wrong: {wrong:,} of {total:,}."
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
    chart.show(scores.score_histogram(frame, *_line(subset)), key="score-histogram", alt=alt)


def _line(subset: Subset) -> tuple[float | None, str]:
    """The score that parts the images, None where nothing does, and what those above it are."""
    report = subset.report
    wrong = _wrong(report)
    if wrong is None:
        return report["options"]["threshold"] if report.get("keep", {}).get("rule") == "threshold" else None, "kept"
    return float(np.sort(subset.scores)[wrong]) if wrong < len(subset.scores) else None, "right"


def _wrong(report: Mapping[str, Any]) -> int | None:
    """Images whose attention is taken to be wrong, where the classes are balanced once more by that."""
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
    chart.show(charts.group_balance(frame), key="group-balance", alt=alt)


def show_cells(subset: Subset, label_names: tuple[str, ...]) -> None:
    """Images of each cell, and how many are chosen."""
    listed = subset.report["cells"]
    names = ["all" if one["class"] is None else label_names[one["class"]] for one in listed]
    cells = pd.DataFrame(listed).assign(**{"class": names})
    frame = cells.assign(chosen=cells["unique"])
    chart.show(charts.cells(frame), key="cells", alt="Images chosen and repeated per cell")
    is_balanced_twice = _wrong(subset.report) is not None
    if not is_balanced_twice and (alone := left_out(listed)):
        what = f"{counted(len(alone), 'cell')} {'is' if len(alone) == 1 else 'are'}"
        shown = "; ".join(map(verbatim, alone[:FEW])) + ("; ..." if len(alone) > FEW else "")
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
