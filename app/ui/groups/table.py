"""Accuracy per group as a table, with the number of images and the 95 % interval; the worst group is marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import session
from app.services.results.compared_split import compared_on, estimates_groups
from app.ui import table_height
from app.ui.glossary import explain
from app.ui.groups import images
from app.ui.images import scored_images
from slim_core.evaluation.charts.groups import ATTENTION, group_frame
from slim_core.formatting import interval
from slim_core.metrics import (
    AIOU,
    ATTENTION_PRECISION,
    COVERAGE,
    ESTIMATED_GROUPS,
    N_MASKS,
    N,
    of_environments,
    ungrouped,
)

if TYPE_CHECKING:
    from slim_core.store import Run

ESTIMATED = "These groups are estimated, class x environment, not given by an attribute."
ONLY_CLASSES = "Attributes are unknown, and these groups are only the classes: *Evaluate on {}* finds environments."
TOO_FEW = "Attributes are unknown, and these groups are only the classes: {} has too few images to find environments."
COLUMNS = {
    "group": st.column_config.TextColumn("Group"),
    "n": st.column_config.NumberColumn("Images", format="localized"),
    "accuracy": st.column_config.NumberColumn("Accuracy", format="%.1f %%"),
    "interval": st.column_config.TextColumn("95 % interval", help=explain("95 % interval")),
    ATTENTION_PRECISION: st.column_config.NumberColumn(
        "Attention", format="%.1f %%", help=explain("attention precision")
    ),
    AIOU: st.column_config.NumberColumn("AIoU", format="%.1f %%", help=explain("AIoU")),
}


def show(
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
    clickable = {"on_select": images.clicked_row(key, cells), "selection_mode": "single-row"} if cells else {}
    shown, height = _rows(frame), table_height.of(len(frame))
    st.dataframe(shown, hide_index=True, column_config=COLUMNS, height=height, placeholder="–", key=key, **clickable)
    n, n_images = (metrics.get(key, frame[column].sum()) for key, column in ((N_MASKS, N_MASKS), (N, "n")))
    if of is not None and of.spec.get("attention", True) and n < n_images:  # below: a column would widen the table
        text = f"Attention is scored on {n:,.0f} of {n_images:,} images."
        scored_images.show(text, metrics.get(COVERAGE, 1), dataset=dataset, split=str(of.spec["split"]))
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
