"""What runs, what waits, and who works: one part of the page that polls while something is under way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import actions
from app.ui import next_step, progress, run_state, tables
from app.ui.messages import errors_shown, for_reader, prose
from app.ui.reruns import fragment
from app.ui.tables import TableText
from slim_core.formatting import duration, shortened
from slim_core.settings import settings
from slim_core.store.runs.rows import ACTIVE
from workers.local import is_starting, workers_are_starting

if TYPE_CHECKING:
    from slim_core.store import Pause, Run, Worker
    from workers.queue import QueueView


BUSY_S, IDLE_S = 1, 5
MOST_LETTERS = 30  # of who submitted a waiting run: the table of all runs has them whole


def show_queue() -> None:
    """Draw it, and again every second while something is under way, else every five seconds."""
    counts, pause = session.store().runs.counts(), session.store().queue.paused()
    fragment(run_every=BUSY_S if _active(counts) else IDLE_S)(_draw)(counts, pause)


def _draw(known: Mapping[str, int], pause: Pause | None) -> None:
    view = session.queue().view()
    if not view.workers and any(view.waiting.values()):
        view = session.queue().view(silent=is_silent())
    active = session.store().runs.all(status=ACTIVE, metrics=False) if _active(view.counts) else []
    _running([run for run in active if run.shown_status != "queued"])
    _waiting([run for run in active if run.shown_status == "queued"], view)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(f"Workers ({len(view.workers)})", anchor="workers", width="stretch")
        progress.pause_button()
    show_workers(view)
    # after the buttons: a press on one of them came with this drawing, and would be lost with what is not drawn
    if _ended(view.counts) != _ended(known) or bool(_active(view.counts)) != bool(_active(known)):
        st.rerun()  # the list of finished runs has changed, or the pace of polling
    if view.pause != pause:
        st.rerun()  # somebody has paused the queue, or resumed it: the top of the page says so


def _active(counts: Mapping[str, int]) -> int:
    return sum(n for status, n in counts.items() if status in ACTIVE)


def _ended(counts: Mapping[str, int]) -> int:
    return sum(n for status, n in counts.items() if status not in ACTIVE)


def _running(runs: list[Run]) -> None:
    st.subheader(f"Running ({len(runs)})", anchor="running")
    if not runs:
        st.caption("No run is active.")
    for run in sorted(runs, key=lambda run: run.started_at or run.created_at):
        progress.row(run, stoppable=True)


def _waiting(runs: list[Run], view: QueueView) -> None:
    if not runs:
        return
    st.subheader(f"Waiting ({len(runs)})", anchor="waiting")
    last = len(runs) + 1
    for run in sorted(runs, key=lambda run: (view.position(run.id) or last, run.created_at))[: progress.MOST_WAITING]:
        _waiting_row(run, view)
    if len(runs) > progress.MOST_WAITING:
        st.caption(f"and {len(runs) - progress.MOST_WAITING:,} more")


def _waiting_row(run: Run, view: QueueView) -> None:
    place = view.position(run.id)
    with st.container(border=True, horizontal=True, wrap=False, vertical_alignment="center", key=f"waiting-{run.id}"):
        progress.named(f":gray-badge[{place or '–'}]", run)
        st.caption(prose(_about(run, view)), width="stretch")
        next_step.link("jobs", "Open", icon="notes", run=run.id)
        if session.viewer().may("lead"):
            _front(run, place)
        progress.stop_button(run)


def _front(run: Run, place: int | None) -> None:
    if st.button(
        "Move to front", key=f"front-{run.id}", icon=":material/vertical_align_top:", disabled=place in (None, 1),
        help="Places the run before all waiting runs.",
    ):  # fmt: skip
        with errors_shown():
            actions.move_to_front(run.id)
            st.rerun()  # of the page: such a press can be taken by a run of the page, which knows no fragment


def _about(run: Run, view: QueueView) -> str:
    parts = [run_state.waiting(run, view), f"By {shortened(run.created_by, MOST_LETTERS)}."]
    parts += [f"Priority {run.priority}."] if run.priority else []
    return " ".join(parts)


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
FREE = TableText("free", "gray")
_GPU = ("GPU load", "GPU memory", "GPU temperature")


def show_workers(view: QueueView) -> None:
    """The table. GPU columns only where there is a GPU."""
    if not view.workers:
        st.caption("No worker reports a heartbeat.")  # the top of the page says what to do
        return
    now = datetime.now(UTC)
    kept = [i for i, one in enumerate(COLUMNS) if one not in _GPU or any(each.load for each in view.workers)]
    rows = [row(worker, now) for worker in view.workers]
    columns = [COLUMNS[i] for i in kept]
    tables.show("Workers", columns, [[cells[i] for i in kept] for cells in rows])


def row(worker: Worker, now: datetime) -> list[TableText | str]:
    """One worker's cells, in the order of COLUMNS."""
    silent_s = worker.silent_s(now)
    return [
        worker.id,
        worker.device,
        worker.queues.replace(",", ", "),
        _run(worker),
        f"{worker.memory_mb:,.0f} MB" if worker.memory_mb else "–",
        *_gpu(worker),
        TableText(f"{duration(round(silent_s))} ago", "orange" if silent_s > SILENT_S else ""),
        worker.version or TableText("starting", "gray"),
    ]


def _run(worker: Worker) -> TableText:
    run_id = worker.current_run
    if run_id:
        return TableText(run_id, run=run_id)
    return TableText("disk full", "orange") if worker.blocked else FREE


def _gpu(worker: Worker) -> list[TableText | str]:
    load, used, whole, warmth = (
        worker.load.get(name) for name in ("load_percent", "memory_used_mb", "memory_mb", "temperature_c")
    )
    return [
        "–" if load is None else f"{load:.0f} %",
        "–" if used is None or not whole else f"{used / 1024:.1f} of {whole / 1024:.0f} GB",
        TableText("–" if warmth is None else f"{warmth:.0f} °C", "orange" if (warmth or 0) >= 85 else ""),
    ]


EVERY_S = 5
_SILENT = "redis-silent"


@fragment(run_every=EVERY_S)
def show_state() -> None:
    """Say what is missing, Redis or workers; look again every few seconds.

    A Redis that does not answer is waited for: call it when the rest of the page is drawn, in a place kept for it.
    """
    starts = is_starting(settings())  # asked first: it may be up by the time it is asked what is wrong
    _draw_state(session.queue().silence(), starts)


def is_silent() -> bool:
    """Whether Redis did not answer when this session last asked it, at most seconds ago; it is asked where none has."""
    if _SILENT not in st.session_state:
        st.session_state[_SILENT] = session.queue().silence() is not None
    return bool(st.session_state[_SILENT])


def _draw_state(silence: str | None, starts: bool) -> None:
    st.session_state[_SILENT] = silence is not None
    view = session.queue().view()
    if silence and starts:
        st.info(for_reader(silence), icon=":material/hourglass:")
    elif silence:
        st.error(for_reader(silence), icon=":material/cloud_off:")
    elif not view.workers and workers_are_starting(settings()):
        st.info("The workers of this dashboard are starting.", icon=":material/hourglass:")
    elif not view.workers and not view.warnings:  # on a full disk no heartbeat arrives
        st.warning("No workers online. Run `python -m workers` on each machine.", icon=":material/person_off:")
    for warning in view.warnings:
        st.error(prose(for_reader(warning)), icon=":material/hard_drive:")
