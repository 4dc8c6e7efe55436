"""The workers: where each computes, what it does now, and how its machine is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from app.ui import tables
from app.ui.tables import Cell
from slim_core.formatting import duration
from slim_core.store.workers import HIDDEN

if TYPE_CHECKING:
    from slim_core.store import Worker
    from workers.queue import QueueView

SILENT_S = 20  # after this long without a heartbeat a worker may be gone
COLUMNS = (
    "Worker",
    "Device",
    "Queues",
    "Current run",
    "Memory",
    "GPU load",
    "GPU memory",
    "GPU temperature",
    "Heartbeat",
    "Code",
)
FREE = Cell("free", "gray")
_GPU = ("GPU load", "GPU memory", "GPU temperature")


def show(view: QueueView) -> None:
    """The table. GPU columns only where there is a GPU."""
    if not view.workers:
        st.caption("No worker reports a heartbeat.")  # the top of the page says what to do
        return
    now = datetime.now(UTC)
    kept = [i for i, one in enumerate(COLUMNS) if one not in _GPU or any(each.load for each in view.workers)]
    rows = [row(worker, now) for worker in view.workers]
    columns = [COLUMNS[i] for i in kept]
    tables.show("Workers", columns, [[cells[i] for i in kept] for cells in rows])


def row(worker: Worker, now: datetime) -> list[Cell | str]:
    """One worker's cells, in the order of COLUMNS."""
    silent_s = worker.silent_s(now)
    return [
        worker.id,
        worker.device,
        worker.queues.replace(",", ", "),
        _run(worker),
        f"{worker.memory_mb:,.0f} MB" if worker.memory_mb else "–",
        *_gpu(worker),
        Cell(f"{duration(round(silent_s))} ago", "orange" if silent_s > SILENT_S else ""),
        worker.version or Cell("starting", "gray"),
    ]


def _run(worker: Worker) -> Cell:
    run_id = worker.current_run
    if run_id == HIDDEN:
        return Cell("private", "gray")
    if run_id:
        return Cell(run_id, run=run_id)
    return Cell("no room", "orange") if worker.blocked else FREE


def _gpu(worker: Worker) -> list[Cell | str]:
    load, used, whole, warmth = (
        worker.load.get(name) for name in ("load_percent", "memory_used_mb", "memory_mb", "temperature_c")
    )
    return [
        "–" if load is None else f"{load:.0f} %",
        "–" if used is None or not whole else f"{used / 1024:.1f} of {whole / 1024:.0f} GB",
        Cell("–" if warmth is None else f"{warmth:.0f} °C", "orange" if (warmth or 0) >= 85 else ""),
    ]
