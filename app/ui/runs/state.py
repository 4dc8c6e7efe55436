"""A run's status as a label and a colour, the same on every page, and its state in a plain sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import streamlit as st

from app.ui.messages import for_reader
from app.ui.tables import Cell
from slim_core.formatting import ago, duration
from slim_core.store.runs.states import ACTIVE, label_of

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
