"""The workers: where each computes, what it does now, and how its machine is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from app.ui.links import link_table
from app.ui.links.link_table import Cell, Column
from app.ui.messages import for_reader
from slim_core.formatting import duration
from slim_core.store.workers import HIDDEN

if TYPE_CHECKING:
    from slim_core.store import Worker
    from workers.queue import QueueView

SILENT_S = 20  # after this long without a heartbeat a worker may be gone
COLUMNS = (
    Column("Worker"),
    Column("Device", "Torch device. A run can request it by this name."),
    Column("Queues", "gpu: steps that run the network. cpu: all other steps.", from_px=500),
    Column("Current run"),
    Column("Memory", "Memory of the worker and its job.", right=True, from_px=640),
    Column("GPU load", right=True),
    Column("GPU memory", "Used and total.", right=True, from_px=900),
    Column("GPU temperature", right=True, from_px=1000),
    Column("Heartbeat", "Time since the last heartbeat. After a minute the worker counts as offline.", right=True),
    Column("Code", "Version and commit of its code."),
)
FREE = Cell("free", "quiet")
_GPU = ("GPU load", "GPU memory", "GPU temperature")


def show(view: QueueView) -> str | None:
    """The table; returns the run a click has asked for. GPU columns only where there is a GPU."""
    if not view.workers:
        st.caption("No worker reports a heartbeat.")  # the top of the page says what to do
        return None
    now = datetime.now(UTC)
    kept = [i for i, one in enumerate(COLUMNS) if one.title not in _GPU or any(each.load for each in view.workers)]
    rows = [row(worker, now) for worker in view.workers]
    columns = [COLUMNS[i] for i in kept]
    return link_table.show("worker-table", "Workers", columns, [[cells[i] for i in kept] for cells in rows])


def row(worker: Worker, now: datetime) -> list[Cell]:
    """One worker's cells, in the order of COLUMNS."""
    silent_s = worker.silent_s(now)
    return [
        Cell(worker.id, title=f"process {worker.pid} on {worker.host}"),
        Cell(worker.device, title=str(worker.load.get("name") or "")),
        Cell(worker.queues.replace(",", ", ")),
        _run(worker),
        Cell(f"{worker.memory_mb:,.0f} MB" if worker.memory_mb else "–"),
        *_gpu(worker),
        Cell(f"{duration(round(silent_s))} ago", "warn" if silent_s > SILENT_S else ""),
        Cell(worker.version) if worker.version else Cell("starting", "quiet"),
    ]


def _run(worker: Worker) -> Cell:
    run_id = worker.current_run
    if run_id == HIDDEN:
        return Cell("private", "quiet", title="A run of a data set that is not shared with you")
    if run_id:
        return Cell(run_id, run=run_id)
    return Cell("no room", "warn", title=for_reader(f"It starts no run: {worker.blocked}")) if worker.blocked else FREE


def _gpu(worker: Worker) -> list[Cell]:
    load, used, whole, warmth = (
        worker.load.get(name) for name in ("load_percent", "memory_used_mb", "memory_mb", "temperature_c")
    )
    return [
        Cell("–" if load is None else f"{load:.0f} %"),
        Cell("–" if used is None or not whole else f"{used / 1024:.1f} of {whole / 1024:.0f} GB"),
        Cell("–" if warmth is None else f"{warmth:.0f} °C", "warn" if (warmth or 0) >= 85 else ""),
    ]
