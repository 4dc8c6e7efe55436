"""The parts a large pass is split into: any number of workers take them, a lost one is redone alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.ui import tables
from app.ui.runs import progress, state
from app.ui.tables import Cell, Row
from slim_core.formatting import duration

if TYPE_CHECKING:
    from slim_core.store import Run

COLUMNS = ("Shard", "Status", "Images", "Time", "Worker")


def show(run: Run) -> None:
    """One row a shard, which leads to it; nothing for most runs."""
    shards = session.store().runs.shards(run.id)
    if not shards:
        return
    done = sum(shard.status == "done" for shard in shards)
    title, key = f"Shards: {done} of {len(shards)} done", f"shards-of-{run.id}"  # else another title unfolds it again
    with st.expander(title, expanded=not run.ended, key=key):
        tables.show("Shards", COLUMNS, [row(shard) for shard in shards])


def row(shard: Run) -> Row:
    """One shard as cells."""
    total = shard.progress.get("total") or 0
    return [
        Cell(f"{shard.spec['shard'] + 1} of {shard.spec['shards']}", run=shard.id),
        state.cell(shard.status),
        f"{round(progress.fraction(shard) * total):,} of {total:,}",
        duration(shard.seconds) if shard.seconds else "–",
        shard.worker or "–",
    ]
