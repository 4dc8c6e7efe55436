"""What runs, what waits, and who works: one part of the page that polls while something is under way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.jobs.parts import queue_state, workers
from app.services import actions
from app.ui import next_step, queue_pause
from app.ui.escape import prose
from app.ui.messages import errors_shown
from app.ui.reruns import fragment
from app.ui.runs import progress, state
from slim_core.data.names import shortened
from slim_core.store.runs.states import ACTIVE

if TYPE_CHECKING:
    from slim_core.store import Pause, Run
    from workers.queue import QueueView

BUSY_S, IDLE_S = 1, 5
MOST_LETTERS = 30  # of who submitted a waiting run: the table of all runs has them whole


def show() -> None:
    """Draw it, and again every second while something is under way, else every five seconds."""
    counts, pause = session.store().runs.counts(), session.store().queue.paused()
    fragment(run_every=BUSY_S if _active(counts) else IDLE_S)(_draw)(counts, pause)


def _draw(known: Mapping[str, int], pause: Pause | None) -> None:
    view = session.queue().view()
    if not view.workers and any(view.waiting.values()):
        view = session.queue().view(silent=queue_state.is_silent())
    active = session.store().runs.all(status=ACTIVE, metrics=False) if _active(view.counts) else []
    _running([run for run in active if run.shown_status != "queued"])
    _waiting([run for run in active if run.shown_status == "queued"], view)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(f"Workers ({len(view.workers)})", anchor="workers", width="stretch")
        queue_pause.button()
    workers.show(view)
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
    parts = [state.waiting(run, view), f"By {shortened(run.created_by, MOST_LETTERS)}."]
    parts += [f"Priority {run.priority}."] if run.priority else []
    return " ".join(parts)
