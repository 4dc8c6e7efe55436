"""The run that ended by itself: those that waited for it ended with it, and have no log of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import session
from slim_core.store.runs.states import UNFINISHED

if TYPE_CHECKING:
    from slim_core.store import Run


def of(run: Run) -> Run:
    """The run to see to first; itself where no other ended it."""
    parents = [parent for _, parent in session.store().runs.parents(run.id)]
    ended = next((parent for parent in parents if parent.status in UNFINISHED), None)
    return run if ended is None else of(ended)


def stopped_by(run: Run) -> str:
    """Who asked a stopped run to stop: "You", or a name."""
    events = session.store().events.recent(subject=run.id)
    who = next((event.who for event in events if event.what == "run.stop"), run.created_by)
    return "You" if who == session.viewer().name else who
