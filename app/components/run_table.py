"""All runs as one table, running ones first, then those that wait; a click opens a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.components import run_progress, run_state

if TYPE_CHECKING:
    from slim_core.store import Run

_RANK = {"running": 0, "stopping": 0, "queued": 1}  # the rest has ended
COLUMNS = ["step", "name", "status", "submitted", "took", "by", "id"]


def show(runs: Sequence[Run]) -> str | None:
    """The table; returns the id of the run that was clicked, if one was."""
    ordered = sorted(runs, key=lambda run: (_RANK.get(run.status, 2), -run.created_at.timestamp()))
    frame = pd.DataFrame([_row(run) for run in ordered], columns=COLUMNS)
    event = st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        height=min(420, 3 + 35 * (1 + len(frame))),
        on_select="rerun",
        selection_mode="single-row",
        key="run-table",
        column_config={
            "submitted": st.column_config.DatetimeColumn(format="D MMM, HH:mm:ss"),
            "took": st.column_config.TextColumn("time", help="Of computing, all attempts together."),
        },
    )
    chosen = event.selection.rows  # type: ignore[attr-defined]
    return ordered[chosen[0]].id if chosen and chosen[0] < len(ordered) else None


def _row(run: Run) -> tuple[object, ...]:
    took = run_progress.duration(run.seconds) if run.seconds else "–"
    status = f"{run_state.SYMBOLS[run.status]} {run.status}"
    return run.kind, run.name or "", status, run.created_at, took, run.created_by, run.id
