"""The table of evaluations: numbers and costs, each with its definition; ticks choose what the charts show."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.compare.parts import choice as compare_choice
from app.compare.parts.choice import Choice
from app.ui import tables
from slim_core.evaluation.comparison import ANSWERED_BY_DEFINITION, COST_DEFINITIONS, LABELS_DEFINITION
from slim_core.evaluation.report import frames
from slim_core.evaluation.report.frames import with_change, worst_groups
from slim_core.metrics import (
    ADJUSTED,
    AIOU,
    ATTENTION_PRECISION,
    AVERAGE,
    COVERAGE,
    DEFINITIONS,
    RATES,
    WGA,
    WORST_CLASS,
    WORST_GROUP,
)

TITLES = {"label": "Run", **{key: f"{name[0].upper()}{name[1:]}" for key, name in frames.TITLES.items()}}
ON_DEMAND = (ADJUSTED, WORST_CLASS, AIOU, "share", "minutes", "images", "seconds", "lineage_seconds", "gpu_hours")
SHOWN = tuple(key for key in (*TITLES, "run") if key not in ON_DEMAND)  # what fits a page without scrolling sideways
# Pixels that a page of 1,024 and one of 1,280 give the table beside the box for ticks and a scroll bar. What a wider
# page has left the browser deals out to all columns.
NARROW, WIDE = 690, 860
LABEL_GIVES = 27  # of the name of a run, where that makes the others fit the narrow page
WIDTHS = {
    "label": 187, WGA: 82, "change": 58, WORST_GROUP: 70, AVERAGE: 60, ATTENTION_PRECISION: 67, COVERAGE: 60,
    "labels_used": 76, "answers": 62, "answered_by": 76, "run": 28,
}  # fmt: skip
# Columns that make room for those with names: where all runs are alike, and where none has anything.
NAMED = (WORST_GROUP, "answered_by", "labels_used")
ALIKE, EMPTY = (COVERAGE, "labels_used"), (ATTENTION_PRECISION, "answered_by")
LETTER_PX, MARGIN_PX, MOST_PX = 6.5, 18, 230  # of such a name
LABEL_MOST_PX = 300  # of the name of a run: its seed comes last
PINNED = "⚑ "
CHANGE_HELP = "Worst group, in points against the baseline; empty where the groups differ."


def show(choice: Choice) -> list[str]:
    """Draw the visible runs; returns the ids of those that are ticked, and keeps them in the address."""
    ids = choice.visible.index.tolist()
    ticked = [ids.index(one) for one in choice.chosen]
    shown = percentages(choice)
    widths = column_widths(shown)
    row_px = row_height(shown, widths)
    state = st.dataframe(
        shown,
        hide_index=True,
        column_config=column_config(widths),
        column_order=[key for key in SHOWN if key in widths],  # the table's own menu, an eye, has the others
        placeholder="–",
        height=tables.height(len(ids), row_px=row_px),
        row_height=row_px,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": ticked}},
        key=f"compare-table-{_digest(ids)}",  # ticks are positions: another order is another table
        alt="Evaluations with their accuracies, attention scores and costs",
    )
    chosen = [ids[place] for place in sorted(state["selection"]["rows"]) if place < len(ids)]
    compare_choice.keep(choice, chosen)
    return chosen


def percentages(choice: Choice) -> pd.DataFrame:
    """The columns of TITLES, rates and changes in percent and points; then the address of the run."""
    rows = with_change(choice.visible, choice.baseline)
    shown = rows.assign(**{key: rows[key] * 100 for key in (*RATES, "share", "change")})
    shown[WORST_GROUP] = worst_groups(rows, choice.baseline)
    shown["answered_by"] = rows["answered_by"].replace(" annotator", "", regex=True)  # the help of the column says it
    shown["label"] = [PINNED + name if one == choice.baseline else name for one, name in shown["label"].items()]
    return shown[list(TITLES)].assign(run=[f"jobs?run={one}" for one in shown.index])


def column_widths(rows: pd.DataFrame) -> dict[str, int]:
    """The pixels of every column that is shown at first: NARROW in all, or up to WIDE where the runs need more.

    More is needed for long names, and for columns that would say nothing in most comparisons.
    """
    redundant = _redundant(rows)
    widths = {key: width for key, width in WIDTHS.items() if key not in redundant}
    lacking = {key: max(0, _needed(rows[key]) - widths[key]) for key in NAMED if key in widths}
    alike = [key for key in ALIKE if rows[key].nunique(dropna=False) == 1]
    giving = [key for key in (*alike, *(key for key in EMPTY if rows[key].isna().all())) if key in widths]
    free = WIDE - sum(widths.values())
    for key in giving:
        if free < sum(lacking.values()):
            free += widths.pop(key)
            lacking.pop(key, None)
    label_lacks = max(0, _needed(rows["label"], LABEL_MOST_PX) - widths["label"])
    free -= min(label_lacks, max(free, 0) // 2)  # the browser gives a pinned column nothing of a wider page
    for key in (key for key in NAMED if key in widths):
        taken = min(max(free, 0), lacking[key])
        widths[key], free = widths[key] + taken, free - taken
    total = sum(widths.values())
    if total <= NARROW + LABEL_GIVES:
        widths["label"] += NARROW - total
    else:
        widths["label"] += min(WIDE - total, label_lacks)
    return widths


def row_height(rows: pd.DataFrame, widths: Mapping[str, int]) -> int:
    """The pixels of a row: of several lines where runs could not be told apart by what one shows of their names, for
    the seed comes last."""
    n_shown = int((widths["label"] - MARGIN_PX) / LETTER_PX)
    is_cut_alike = rows["label"].str.removeprefix(PINNED).str[:n_shown].duplicated().any()
    return tables.LINES_PX if is_cut_alike else tables.ROW_PX


def _redundant(rows: pd.DataFrame) -> set[str]:
    """Columns that say no more than others do: the labels where the answers are all, or none, that was used; and over
    how many images the attention is scored, where it is over all of them."""
    answered = rows["answers"].gt(0)
    used = answered.map({True: "answers", False: "none"})
    found = {"labels_used"} if rows["labels_used"].eq(used).all() else set()
    return found | ({COVERAGE} if rows[COVERAGE].fillna(100).ge(100).all() else set())


def _needed(names: pd.Series, most: int = MOST_PX) -> int:
    """Pixels of the longest name, up to ``most``."""
    return min(MARGIN_PX + int(LETTER_PX * names.fillna("").astype(str).str.len().max()), most)


def column_config(widths: Mapping[str, int]) -> dict[str, Any]:
    """Title, format and definition of every column, and the width of those in ``widths``."""
    number = st.column_config.NumberColumn
    text = st.column_config.TextColumn
    columns: dict[str, Any] = {key: number(TITLES[key], format="%.1f %%", help=DEFINITIONS[key]) for key in RATES}
    columns["run"] = st.column_config.LinkColumn(
        "From", display_text=":material/open_in_new:", help="The evaluation run: its lineage, parameters and log."
    )
    columns["label"] = text(
        TITLES["label"], pinned=True, help="Name, method and seed of the model; ⚑ marks the baseline."
    )
    columns[WORST_GROUP] = text(TITLES[WORST_GROUP], help=DEFINITIONS[WORST_GROUP])
    columns["labels_used"] = text(TITLES["labels_used"], help=LABELS_DEFINITION)
    columns["answered_by"] = text(TITLES["answered_by"], help=ANSWERED_BY_DEFINITION)
    columns["change"] = number("Change", format="%+.1f", help=CHANGE_HELP)
    formats = {"share": "%.1f %%", "minutes": "%.1f", "seconds": "%.0f", "lineage_seconds": "%.0f", "gpu_hours": "%.2f"}
    for key, definition in COST_DEFINITIONS.items():
        columns[key] = number(TITLES[key], format=formats.get(key, "localized"), help=definition)
    for key, width in widths.items():
        columns[key]["width"] = width
    return columns


def _digest(ids: list[str]) -> str:
    return hashlib.sha256(",".join(ids).encode()).hexdigest()[:12]
