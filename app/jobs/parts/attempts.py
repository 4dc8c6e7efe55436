"""What happened to a run, attempt by attempt, from the events that were kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from app import session
from app.ui import tables
from app.ui.messages import for_reader
from app.ui.tables import Cell, Colour, Row
from slim_core.formatting import duration

if TYPE_CHECKING:
    from slim_core.store import Event, Run

MOST_EVENTS = 200
COLUMNS = ("When", "Attempt", "What happened", "After")
_ENDS: dict[str, Colour] = {
    "run.done": "green",
    "run.failed": "red",
    "run.canceled": "gray",
    "run.lost": "orange",
    "run.handed_back": "orange",
}
_REQUEUED = ("run.lost", "run.handed_back")  # it keeps its place among those that wait, and so ``queued_at``


@dataclass(frozen=True)
class AttemptEvent:
    """One event. ``after_s``: seconds since its attempt began, where it belongs to one."""

    at: datetime
    attempt: int
    text: str
    colour: Colour = ""
    after_s: float | None = None


def show(run: Run) -> None:
    """The table, the oldest first."""
    rows = [_row(one) for one in attempt_events(_events(run), run.attempt)]
    tables.show("What happened", COLUMNS, rows)


def waited_s(run: Run) -> float | None:
    """Seconds it was queued, from when it was last asked for until its latest attempt began; None: none has begun."""
    if run.started_at is None or run.queued_at is None or run.started_at < run.queued_at:
        return None
    waited, began = (run.started_at - run.queued_at).total_seconds(), None
    for event in _events(run) if run.attempt > 1 else ():
        if event.what == "run.claimed":
            began = event.at
        elif event.what in _REQUEUED and began and run.queued_at <= began and event.at <= run.started_at:
            waited -= (event.at - began).total_seconds()
    return max(0.0, waited)


def _events(run: Run) -> list[Event]:
    """The newest ones, the oldest of them first."""
    return session.store().events.recent(MOST_EVENTS, subject=run.id)[::-1]


def attempt_events(events: Sequence[Event], n_attempts: int) -> list[AttemptEvent]:
    """The newest events of one run that has begun ``n_attempts`` times, the oldest first."""
    found: list[AttemptEvent] = []
    attempt, began = max(0, n_attempts - sum(event.what == "run.claimed" for event in events)), None
    for event in events:
        if event.what == "run.claimed":
            attempt, began = attempt + 1, event.at
        after_s = (event.at - began).total_seconds() if began and event.what != "run.claimed" else None
        found.append(AttemptEvent(event.at, attempt, _text(event), _ENDS.get(event.what, ""), after_s))
        if event.what in _ENDS:
            began = None
    return found


def _text(event: Event) -> str:
    details = event.details
    texts = {
        "run.submitted": f"{event.who} submitted it",
        "run.claimed": f"{event.who} started on {details.get('device') or 'its device'}",
        "run.lost": f"{event.who} {details.get('why') or 'stopped responding'}",
        "run.handed_back": f"{event.who} shut down and requeued it",
        "run.stop": f"{event.who} requested a stop",
        "run.retried": f"{event.who} retried it",
        "run.prioritised": f"{event.who} moved it to the front",
        "run.done": "done",
        "run.failed": f"failed: {for_reader(details.get('message') or 'see the log')}",
        "run.canceled": for_reader(details.get("message") or "stopped"),
    }
    return texts.get(event.what, f"{event.what.removeprefix('run.').replace('_', ' ')} ({event.who})")


def _row(one: AttemptEvent) -> Row:
    return [
        one.at,
        str(one.attempt) if one.attempt else "–",
        Cell(one.text, one.colour),
        "" if one.after_s is None else duration(one.after_s),
    ]
