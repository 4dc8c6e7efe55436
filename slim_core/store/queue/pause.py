"""The pause of the queue: a row of the database, since that decides what is taken (docs/decisions/0003)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.database import insert_new

_WHAT = "queue"
_t = schema.pauses


@dataclass(frozen=True)
class Pause:
    """Nobody takes a run from the queue; what runs goes on."""

    paused_by: str
    paused_at: datetime

    def __str__(self) -> str:
        """Who, when, and what it means, in a sentence."""
        return (
            f"{self.paused_by} paused the queue on {self.paused_at:%Y-%m-%d at %H:%M} UTC: running jobs continue, no "
            "new run starts."
        )


def find_pause(connection: Connection) -> Pause | None:
    """The pause, if the queue is paused."""
    row = connection.execute(sa.select(_t.c.paused_by, _t.c.paused_at).where(_t.c.what == _WHAT)).first()
    return None if row is None else Pause(*row)


def add_pause(connection: Connection, by: str, now: datetime) -> bool:
    """Pause; False where somebody has already."""
    row = insert_new(connection, _t).values(what=_WHAT, paused_by=by, paused_at=now)
    return connection.execute(row.returning(_t.c.what)).first() is not None


def remove_pause(connection: Connection) -> bool:
    """End the pause; False where there is none."""
    return bool(connection.execute(_t.delete().where(_t.c.what == _WHAT)).rowcount)
