"""What waits for a worker, who is next, and whether the queue is paused (docs/decisions/0003).

The database decides, when a worker asks; Redis only wakes workers. The highest priority first; then users take turns;
then whoever has waited longest. A user's turn is how many of their runs are running in the queue, plus the run's place
among their own waiting ones. Of users whose turn it is alike, the one comes first whose last run was taken longest ago:
so fifty runs of one user and a single one of another are taken 1, 1, then the other 49, also where one worker takes
them one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import ConflictError
from slim_core.store import schema
from slim_core.store.database import Database, insert_new
from slim_core.store.events import Events
from slim_core.store.runs.lineage import ancestors_of
from slim_core.store.runs.rows import WORKING, label_of, no_run

FIRST = 20  # of the best runs, where others may take the first few before us
_RECENT = 150  # events that are looked through for who was served last: about fifty runs
_t, _parents = schema.runs, schema.run_parents
_parent = schema.runs.alias("parent")
_pauses = schema.pauses
_WHAT = "queue"  # of the pauses
_PROCESSES = sa.func.coalesce(_t.c.spec["processes"].as_integer(), 1)
_QUEUED = (_t.c.status == "queued", _t.c.deleted_at.is_(None))
_WAITED_FOR = (
    sa.select(sa.literal(1))
    .join(_parent, _parent.c.id == _parents.c.parent_id)
    .where(_parents.c.run_id == _t.c.id, _parent.c.status != "done")
)
_READY = (*_QUEUED, ~_WAITED_FOR.correlate(_t).exists())  # it waits for nothing but a worker


class Queue:
    """The runs that wait: in which order, and whether anybody takes them (attempts.py)."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database, self._events = database, events

    def next_for(self, queues: tuple[str, ...], processes: tuple[int, ...]) -> list[Waiting]:
        """The next few runs for a worker that serves these, best first; none while the queue is paused."""
        with self._database.read() as connection:
            return [] if find_pause(connection) else waiting(connection, queues, processes, FIRST)

    def waiting(self) -> list[Waiting]:
        """Every run that waits for nothing but a worker, next first. One query, however many wait."""
        with self._database.read() as connection:
            return waiting(connection)

    def count_waiting(self) -> dict[tuple[str, int], int]:
        """(queue, processes that share a run) -> how many runs can start now. Cheaper than their order."""
        alike = (_t.c.queue, _PROCESSES.label("processes"))
        query = sa.select(*alike, sa.func.count()).where(*_READY).group_by(sa.text("1"), sa.text("2"))
        with self._database.read() as connection:
            return {(row[0], row[1]): int(row[2]) for row in connection.execute(query)}

    def unfinished_parents(self) -> dict[str, Unfinished]:
        """Queued run -> a run it waits for. One query; others are left out."""
        is_shard = sa.func.coalesce(_parent.c.shard_of, "") == _parents.c.run_id
        title = sa.func.coalesce(sa.func.nullif(_parent.c.name, ""), _parent.c.kind)
        status = sa.case((_shard_at_work(), "running"), else_=_parent.c.status)
        query = sa.select(_parents.c.run_id, _parent.c.id, title, status, is_shard)
        query = query.join(_parent, _parent.c.id == _parents.c.parent_id).join(_t, _t.c.id == _parents.c.run_id)
        query = query.where(*_QUEUED, _parent.c.status != "done").order_by(_parents.c.role.desc())
        with self._database.read() as connection:
            found = connection.execute(query)
            return {row[0]: Unfinished(row[1], row[2], row[3], bool(row[4])) for row in found}

    def pause(self, by: str) -> Pause:
        """Let no worker take a run any more. Returns the pause, which is another's where somebody was first."""
        with self._database.write() as connection:
            row = {"what": _WHAT, "paused_by": by, "paused_at": self._database.now(connection)}
            new = insert_new(connection, _pauses).values(**row).returning(_pauses.c.what)
            if connection.execute(new).first() is not None:
                self._events.note(connection, by, "queue.paused", "queue")
            pause = find_pause(connection)
        assert pause is not None
        return pause

    def resume(self, by: str) -> bool:
        """Let workers take runs again; False where the queue was not paused."""
        with self._database.write() as connection:
            ended = bool(connection.execute(_pauses.delete().where(_pauses.c.what == _WHAT)).rowcount)
            if ended:
                self._events.note(connection, by, "queue.resumed", "queue")
        return ended

    def paused(self) -> Pause | None:
        """Who has paused the queue, and when; None where nobody has."""
        with self._database.read() as connection:
            return find_pause(connection)

    def move_to_front(self, run_id: str, by: str) -> int:
        """Put a queued run, its shards, and the queued runs it waits for, before everything else that waits.

        Returns:
            Its new priority.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it does not wait any more.
        """
        with self._database.write() as connection:
            status = connection.execute(
                sa.select(_t.c.status).where(_t.c.id == run_id, _t.c.deleted_at.is_(None))
            ).scalar()
            if status is None:
                raise no_run(connection, run_id)
            if status != "queued":
                what = label_of(status)
                raise ConflictError(f"Run {run_id} is {what} by now: only a waiting run can be moved to the front.")
            moved = [run_id, *ancestors_of(connection, [run_id])]  # shards among them
            waits = sa.and_(*_QUEUED)
            highest = sa.select(sa.func.max(_t.c.priority)).where(waits, _t.c.id.not_in(moved))
            priority = max(0, connection.execute(highest).scalar() or 0) + 1
            connection.execute(_t.update().where(waits, _t.c.id.in_(moved)).values(priority=priority))
            self._events.note(connection, by, "run.prioritised", run_id, {"priority": priority})
        return priority


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
    ready = [*_READY]
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


def _shard_at_work() -> sa.ColumnElement[bool]:
    """Whether a queued parent has shards that run: it waits for them, and is shown as running."""
    shard = schema.runs.alias("shard")
    at_work = sa.select(sa.literal(1)).where(shard.c.shard_of == _parent.c.id, shard.c.status.in_(WORKING))
    return sa.and_(_parent.c.status == "queued", at_work.correlate(_parent).exists())


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
    row = connection.execute(sa.select(_pauses.c.paused_by, _pauses.c.paused_at).where(_pauses.c.what == _WHAT)).first()
    return None if row is None else Pause(*row)
