"""What is said of a run: its status as a label and a colour, the same on every page, its state in a plain sentence,
what ended it, what its report notes, and what a model's network is to the attention step.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import streamlit as st

from app import session
from app.ui.escape import prose, verbatim
from app.ui.messages import for_reader
from app.ui.tables import Cell
from slim_core.errors import NotFoundError
from slim_core.formatting import ago, duration
from slim_core.store.results import ModelResult
from slim_core.store.runs.states import ACTIVE, UNFINISHED, label_of

if TYPE_CHECKING:
    from slim_core.store import Run
    from workers.queue import QueueView

# status -> (colour, icon, label)
BADGES: dict[str, tuple[Literal["gray", "blue", "orange", "green", "red"], str, str]] = {
    "queued": ("gray", "schedule", "queued"),
    "running": ("blue", "play_circle", "running"),
    "stopping": ("orange", "stop_circle", "stopping"),
    "done": ("green", "check_circle", "done"),
    "failed": ("red", "error", "failed"),
    "canceled": ("gray", "stop_circle", label_of("canceled")),
}

WORDS = {status: label for status, (_, _, label) in BADGES.items()}
SYMBOLS = {"queued": "○", "running": "▶", "stopping": "■", "done": "✓", "failed": "✗", "canceled": "–"}  # in tables


def show(status: str) -> None:
    """The status as a badge."""
    colour, icon, label = BADGES[status]
    st.badge(label, icon=f":material/{icon}:", color=colour)


def markdown(status: str) -> str:
    """The status as a badge inside other text."""
    colour, icon, label = BADGES[status]
    return f":{colour}-badge[:material/{icon}: {label}]"


def cell(status: str) -> Cell:
    """The status in a table."""
    return Cell(f"{SYMBOLS[status]} {WORDS[status]}", BADGES[status][0])


def is_active(run: Run) -> bool:
    """True while something may still happen to the run by itself."""
    return run.status in ACTIVE


def sentence(run: Run, view: QueueView, now: datetime | None = None) -> str:
    """The state of a run, in a sentence or two."""
    now = now or datetime.now(UTC)
    if run.status == "queued":
        return _why_here(run) + waiting(run, view)
    if run.status == "running":
        since = f" for {duration((now - run.started_at).total_seconds())}" if run.started_at else ""
        return f"It has been running on {run.worker} ({run.device}){since}."
    if run.status == "stopping":
        return "It stops at its next batch. If it does not, its process is killed."
    ended = f", {ago(run.finished_at, now)}" if run.finished_at else ""
    took = duration(run.seconds)
    if run.status == "done":
        return f"It finished after {took} of computing{ended}."
    if run.status == "failed":
        return f"It failed after {took}{ended}." if run.attempt else f"It failed before it started{ended}."
    return f"It was stopped after {took}{ended}." if run.attempt else f"It was stopped before it started{ended}."


def _why_here(run: Run) -> str:
    """Why a run has been queued again; "" where it has not."""
    return f"{for_reader(run.message)} " if run.message and run.attempt else ""


def waiting(run: Run, view: QueueView) -> str:
    """What a queued run waits for: its turn, a parent, a worker."""
    reason = view.waits_for(run.id)
    if reason:
        return for_reader(reason)
    place = view.position(run.id)
    if place is None:
        return "It is queued."
    return "It is next in the queue." if place == 1 else f"It is number {place} in the queue."


def rough_duration(seconds: float) -> str:
    """A rough time: "about 40 s", "about 3 min", "about 2 h"."""
    if seconds < 55:
        return f"about {max(1, round(seconds / 5) * 5 if seconds > 10 else round(seconds))} s"
    if seconds < 3300:
        return f"about {max(1, round(seconds / 60))} min"
    return f"about {max(1, round(seconds / 3600))} h"


def cause_of(run: Run) -> Run:
    """The run to see to first; itself where no other ended it."""
    parents = [parent for _, parent in session.store().runs.parents(run.id)]
    ended = next((parent for parent in parents if parent.status in UNFINISHED), None)
    return run if ended is None else cause_of(ended)


def stopped_by(run: Run) -> str:
    """Who asked a stopped run to stop: "You", or a name."""
    events = session.store().events.recent(subject=run.id)
    who = next((event.who for event in events if event.what == "run.stop"), run.created_by)
    return "You" if who == session.viewer().name else who


FEW = 3  # notes that are shown one by one


def notes_of(run: Run) -> Sequence[str]:
    """The notes of a run with its metrics, if it has any."""
    found: Sequence[str] = (run.metrics or {}).get("report", {}).get("notes", ())
    return found


def show_notes(notes: Sequence[str]) -> None:
    """Each as its sentence; of many the first, and the rest on demand."""
    for note in notes if len(notes) <= FEW else notes[:1]:
        st.warning(prose(note), icon=":material/warning:")
    if len(notes) > FEW:
        with st.expander(f"{len(notes) - 1} more notes", icon=":material/warning:"):
            st.markdown("\n".join(f"- {prose(note)}" for note in notes[1:]))


def model_result(model: Run) -> ModelResult | None:
    """What a finished train run left; None where its files were removed."""
    try:
        found = ModelResult(session.store().artifacts.folder(model.id))
    except NotFoundError:
        return None
    return found if found.exists else None


def show_network(model: Run) -> bool:
    """A caption of a finished train run; False where it says that the model has no attention maps."""
    found = model_result(model)
    if found is not None and found.no_attention:
        st.info(prose(found.no_attention), icon=":material/visibility_off:")
        return False
    if found is not None and found.network is not None:
        st.caption(verbatim(f"{found.network.described} {found.transform.described}"))
    return True
