"""The parts a large pass is split into: any number of workers take them, a lost one is redone alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.ui.links import link_table, pages
from app.ui.links.link_table import Cell, Column
from app.ui.messages import for_reader
from app.ui.runs import progress, state
from slim_core.formatting import duration

if TYPE_CHECKING:
    from slim_core.store import Run

COLUMNS = (
    Column("Shard"),
    Column("Status"),
    Column("Images", right=True),
    Column("Time", right=True),
    Column("Worker"),
)


def show(run: Run) -> None:
    """One row a shard, a click on which opens it; nothing for most runs."""
    shards = session.store().runs.shards(run.id)
    if not shards:
        return
    done = sum(shard.status == "done" for shard in shards)
    title, key = f"Shards: {done} of {len(shards)} done", f"shards-of-{run.id}"  # else another title unfolds it again
    with st.expander(title, expanded=not run.ended, key=key):
        opened = link_table.show(f"shards-{run.id}", "Shards", COLUMNS, [row(shard) for shard in shards])
    if opened:
        pages.go_to("jobs", run=opened)


def row(shard: Run) -> list[Cell]:
    """One shard as cells."""
    total = shard.progress.get("total") or 0
    status = f"{state.SYMBOLS[shard.status]} {state.WORDS[shard.status]}"
    return [
        Cell(f"{shard.spec['shard'] + 1} of {shard.spec['shards']}", run=shard.id),
        Cell(status, state.TONES[shard.status], title=for_reader(shard.message or "")),
        Cell(f"{round(progress.fraction(shard) * total):,} of {total:,}"),
        Cell(duration(shard.seconds) if shard.seconds else "–"),
        Cell(shard.worker or "–"),
    ]
