"""Who is next. The database decides, when a worker asks; Redis only wakes workers (docs/decisions/0003).

The highest priority first; then users take turns; then whoever has waited longest. A user's turn is how many of their
runs are running in the queue, plus the run's place among their own waiting ones. Of users whose turn it is alike, the
one comes first whose last run was taken longest ago: so fifty runs of one user and a single one of another are taken
1, 1, then the other 49, also where one worker takes them one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.runs.states import WORKING

_t, _parents = schema.runs, schema.run_parents
_parent = schema.runs.alias("parent")
_RECENT = 150  # events that are looked through for who was served last: about fifty runs


@dataclass(frozen=True)
class Waiting:
    """A run that waits for nothing but a worker."""

    id: str
    kind: str
    queue: str
    priority: int
    created_by: str
    queued_at: datetime
    dataset_id: str
    shard_of: str | None
    processes: int = 1  # that share its training: only a worker with as many devices takes it


@dataclass(frozen=True)
class Unfinished:
    """A run that another one waits for."""

    id: str
    title: str  # the name it was given, else its kind
    status: str  # as people read it: running, too, while its shards are
    is_shard: bool  # of the one that waits


_PROCESSES = sa.func.coalesce(_t.c.spec["processes"].as_integer(), 1)
_COLUMNS = [_t.c[name] for name in Waiting.__dataclass_fields__ if name in _t.c] + [_PROCESSES]


def waiting(
    connection: Connection,
    queues: tuple[str, ...] | None = None,
    processes: tuple[int, ...] | None = None,
    limit: int | None = None,
) -> list[Waiting]:
    """Runs that can start now, next first.

    Args:
        connection: a transaction.
        queues: only of these; None: of all.
        processes: only runs that so many processes share; None: all.
        limit: how many at most; None: all.
    """
    queued = sa.select(_t.c.id).where(_t.c.status == "queued").limit(1)
    if connection.execute(queued).first() is None:  # the usual case: nothing else need be asked
        return []
    ready = [_t.c.status == "queued", _t.c.deleted_at.is_(None), ~_unfinished_parent()]
    ready += [] if queues is None else [_t.c.queue.in_(queues)]
    ready += [] if processes is None else [_PROCESSES.in_(processes)]
    running, served = _running(), _served()
    place = sa.func.row_number().over(
        partition_by=(_t.c.queue, _t.c.created_by), order_by=(_t.c.priority.desc(), _t.c.queued_at, _t.c.id)
    )
    turn = (place + sa.func.coalesce(running.c.n, 0)).label("turn")
    query = sa.select(*_COLUMNS, turn).where(*ready)
    for each in (running, served):
        query = query.outerjoin(each, sa.and_(each.c.queue == _t.c.queue, each.c.created_by == _t.c.created_by))
    last = sa.func.coalesce(served.c.event, 0)
    query = query.order_by(_t.c.priority.desc(), turn, last, _t.c.queued_at, _t.c.id).limit(limit)
    return [Waiting(*row[:-1]) for row in connection.execute(query)]


def count_waiting(connection: Connection) -> dict[tuple[str, int], int]:
    """(queue, processes that share a run) -> how many runs can start now. Cheaper than their order."""
    ready = (_t.c.status == "queued", _t.c.deleted_at.is_(None), ~_unfinished_parent())
    alike = (_t.c.queue, _PROCESSES.label("processes"))
    query = sa.select(*alike, sa.func.count()).where(*ready).group_by(sa.text("1"), sa.text("2"))
    return {(row[0], row[1]): int(row[2]) for row in connection.execute(query)}


def unfinished_parents(connection: Connection) -> dict[str, Unfinished]:
    """Queued run -> a run it waits for."""
    is_shard = sa.func.coalesce(_parent.c.shard_of, "") == _parents.c.run_id
    title = sa.func.coalesce(sa.func.nullif(_parent.c.name, ""), _parent.c.kind)
    status = sa.case((_shard_at_work(), "running"), else_=_parent.c.status)
    query = sa.select(_parents.c.run_id, _parent.c.id, title, status, is_shard)
    query = query.join(_parent, _parent.c.id == _parents.c.parent_id).join(_t, _t.c.id == _parents.c.run_id)
    query = query.where(_t.c.status == "queued", _t.c.deleted_at.is_(None), _parent.c.status != "done")
    found = connection.execute(query.order_by(_parents.c.role.desc()))
    return {row[0]: Unfinished(row[1], row[2], row[3], bool(row[4])) for row in found}


def _shard_at_work() -> sa.ColumnElement[bool]:
    """Whether a queued parent has shards that run: it waits for them, and is shown as running."""
    shard = schema.runs.alias("shard")
    at_work = sa.select(sa.literal(1)).where(shard.c.shard_of == _parent.c.id, shard.c.status.in_(WORKING))
    return sa.and_(_parent.c.status == "queued", at_work.correlate(_parent).exists())


def _unfinished_parent() -> sa.Exists:
    of_run = sa.select(sa.literal(1)).join(_parent, _parent.c.id == _parents.c.parent_id)
    return of_run.where(_parents.c.run_id == _t.c.id, _parent.c.status != "done").correlate(_t).exists()


def _running() -> Any:
    working = schema.runs.alias("working")
    query = sa.select(working.c.queue, working.c.created_by, sa.func.count().label("n"))
    query = query.where(working.c.status.in_(WORKING), working.c.deleted_at.is_(None))
    return query.group_by(working.c.queue, working.c.created_by).subquery("running")


def _served() -> Any:
    """(queue, user, newest event of a run of theirs being taken). Who is not among the newest events comes first."""
    events, taken = schema.events, schema.runs.alias("taken")
    recent = sa.select(events.c.id, events.c.what, events.c.subject).order_by(events.c.id.desc()).limit(_RECENT)
    newest = recent.subquery("recent")
    query = sa.select(taken.c.queue, taken.c.created_by, sa.func.max(newest.c.id).label("event"))
    query = query.join(newest, newest.c.subject == taken.c.id).where(newest.c.what == "run.claimed")
    return query.group_by(taken.c.queue, taken.c.created_by).subquery("served")
