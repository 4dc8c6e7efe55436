"""The table of a study: one row a method, over all sets or of one; labels used and costs beside the accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app.ui import table_height
from app.ui.escape import prose, verbatim
from slim_core.evaluation.comparison import ALL_ANSWERS_DEFINITION, LABELS_DEFINITION
from slim_core.evaluation.study import text
from slim_core.formatting import interval
from slim_core.metrics import ATTENTION_PRECISION, AVERAGE, COVERAGE, DEFINITIONS, LEAST_PAIRS, WGA

if TYPE_CHECKING:
    from slim_core.evaluation.study.summary import Result

MOST_ROWS = 30
LETTER_PX, MARGIN_PX = 7, 24  # of a text in its column
ON_DEMAND = ("average", "scored")  # the table's own menu, an eye, has them


def show(result: Result) -> str:
    """The table that is picked (?table), and the sentences of what failed; returns its title."""
    frames = dict(text.sections(result))
    picked = st.segmented_control(
        "Table", list(frames), default=_first_filled(frames), required=True, key="table", bind="query-params",
        label_visibility="collapsed", format_func=verbatim,
    )  # fmt: skip
    frame = frames[picked]
    rows = shown(frame)
    config = columns(result.against, rows)
    st.dataframe(
        rows,
        hide_index=True,
        column_config=config,
        column_order=[name for name in config if name not in (*ON_DEMAND, *_empty(result))],
        placeholder="–",
        height=table_height.of(max(len(frame), 1), MOST_ROWS),
        alt=f"Worst-group accuracy of each method, {picked}",
    )
    for sentence in text.warnings(result):
        st.warning(prose(sentence), icon=":material/warning:")
    failed = text.sentences(result)
    if failed:
        with st.expander(f"{len(result.failures)} of {len(result.entries)} cases failed", icon=":material/error:"):
            st.markdown("\n".join(f"- {prose(sentence)}" for sentence in failed))
    return str(picked)


def _first_filled(frames: dict[str, pd.DataFrame]) -> str:
    """The first table with a number: the mean over sets has one once a seed is whole, which takes hours."""
    return next((title for title, frame in frames.items() if frame["wga_mean"].notna().any()), next(iter(frames)))


def _empty(result: Result) -> tuple[str, ...]:
    """Columns without a value in any row of the study."""
    return () if text.is_corrected(result) else ("corrected",)


def shown(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``columns``; rates in percent, differences in points."""
    rows = text.records(frame)
    return pd.DataFrame(
        {
            "method": [text.label(row) for row in rows],
            "labels": [row["labels_used"] for row in rows],
            "n": [row["n"] for row in rows],
            "wga": frame["wga_mean"].to_numpy() * 100,
            "sd": frame["wga_sd"].to_numpy() * 100,
            "minus": frame["minus_mean"].to_numpy() * 100,
            "interval": [interval(row["minus_low"], row["minus_high"], "+") for row in rows],
            "corrected": [interval(row["minus_corrected_low"], row["minus_corrected_high"], "+") for row in rows],
            "average": frame["average_mean"].to_numpy() * 100,
            "attention": frame[f"{ATTENTION_PRECISION}_mean"].to_numpy() * 100,
            "scored": frame[f"{COVERAGE}_mean"].to_numpy() * 100,
            "answers": frame["n_answers"].to_numpy(),
            "seconds": frame["seconds"].to_numpy(),
        }
    )


def columns(against: str, rows: pd.DataFrame) -> dict[str, Any]:
    """Title, format and definition of every column; what a claim needs, up to the answers, is on screen at 1,440 px,
    and all of it where names are short."""
    number, words = st.column_config.NumberColumn, st.column_config.TextColumn
    minus = f"Mean worst group of {against} minus that of the row, in points, paired by seed; above 0: {against} is "
    return {
        "method": words("Method", pinned=True, width=_width(rows["method"], 235)),
        "labels": words("Labels used", width=_width(rows["labels"], 238), help=LABELS_DEFINITION),
        "n": number("Seeds", width=55, help="Seeds with a result; for the mean over sets: on every set."),
        "wga": number("Worst group", width=92, format="%.1f %%", help=DEFINITIONS[WGA]),
        "sd": number("sd", width=45, format="%.1f", help="Standard deviation over the seeds, in points."),
        "minus": number(f"{against} minus it", width=100, format="%+.1f", help=f"{minus}better."),
        "interval": words("95 % interval", width=112, help=f"Student's t over the pairs; requires {LEAST_PAIRS}."),
        "corrected": words("Corrected", width=112, help=text.CORRECTED),
        "answers": number("Answers", width=70, format="%.0f", help=ALL_ANSWERS_DEFINITION),
        "average": number("Average", width=85, format="%.1f %%", help=DEFINITIONS[AVERAGE]),
        "attention": number("Attention", width=90, format="%.1f %%", help=DEFINITIONS[ATTENTION_PRECISION]),
        "scored": number("Scored", width=80, format="%.1f %%", help=DEFINITIONS[COVERAGE]),
        "seconds": number("Seconds", width=80, format="%.0f", help=text.SECONDS),
    }


def _width(texts: pd.Series, most: int) -> int:
    """Pixels of the longest text, from those of the title on."""
    return min(MARGIN_PX + LETTER_PX * max(len("Labels used"), int(texts.str.len().max())), most)
