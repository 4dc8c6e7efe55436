"""Letting a waiting run go before all others: its priority becomes the highest of those that wait."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import ConflictError, NotFoundError
from slim_core.store import schema
from slim_core.store.database import Database
from slim_core.store.events import Events

_t, _parents = schema.runs, schema.run_parents


def move_to_front(database: Database, events: Events, run_id: str, by: str) -> int:
    """Put a queued run, its shards, and the queued runs it waits for, before everything else that waits.

    Returns:
        Its new priority.

    Raises:
        NotFoundError: there is no such run.
        ConflictError: it does not wait any more.
    """
    with database.write() as connection:
        status = connection.execute(sa.select(_t.c.status).where(_t.c.id == run_id, _t.c.deleted_at.is_(None))).scalar()
        if status is None:
            raise NotFoundError(f"There is no run {run_id}: see the Jobs page.")
        if status != "queued":
            raise ConflictError(f"Run {run_id} is {status} by now: only a waiting run can be moved to the front.")
        moved = _with_ancestors(connection, run_id)
        waits = sa.and_(_t.c.status == "queued", _t.c.deleted_at.is_(None))
        highest = sa.select(sa.func.max(_t.c.priority)).where(waits, _t.c.id.not_in(moved))
        priority = max(0, connection.execute(highest).scalar() or 0) + 1
        mine = sa.or_(_t.c.id.in_(moved), _t.c.shard_of.in_(moved))
        connection.execute(_t.update().where(waits, mine).values(priority=priority))
        events.note(connection, by, "run.prioritised", run_id, {"priority": priority})
    return priority


def _with_ancestors(connection: Connection, run_id: str) -> list[str]:
    found, level = [run_id], [run_id]
    while level:
        above = sa.select(_parents.c.parent_id).where(_parents.c.run_id.in_(level)).distinct()
        level = [each for each in connection.execute(above).scalars() if each not in found]
        found += level
    return found
