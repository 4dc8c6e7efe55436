"""What waits for a worker, and how a run is taken: the best by compare-and-set, under a token and a lease."""

from __future__ import annotations

import contextlib
import secrets
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import ConflictError
from slim_core.store import schema
from slim_core.store.database import Database
from slim_core.store.events import Events
from slim_core.store.queue import order
from slim_core.store.queue.order import Unfinished, Waiting
from slim_core.store.queue.pause import Pause, add_pause, find_pause, remove_pause
from slim_core.store.runs.lineage import ancestors_of
from slim_core.store.runs.rows import find_run, no_run
from slim_core.store.runs.states import label_of

_CANDIDATES = 20  # of the best runs, where others may take the first few before us
_ROUNDS = 5
_t, _parents = schema.runs, schema.run_parents


class Queue:
    """The runs that wait, and who takes them."""

    def __init__(self, database: Database, events: Events, lease_s: float = 30.0) -> None:
        self._database, self._events = database, events
        self._lease = timedelta(seconds=lease_s)

    def claim(
        self, run_id: str, worker: str, device: str, code_version: str | None = None, *, of_queue: bool = False
    ) -> str:
        """Take a queued run: running, one attempt more, under a lease.

        ``of_queue``: as a worker of the queue, which a pause holds back; a command that computes by itself is none.

        Returns:
            The token that every later call of this attempt needs.

        Raises:
            ConflictError: it is not queued any more, or waits for a parent, or the queue is paused.
        """
        token = secrets.token_hex(12)
        with self._database.write() as connection:
            if of_queue and (pause := find_pause(connection)):
                raise ConflictError(f"Run {run_id} waits: {pause}")
            _refuse_early(connection, run_id)
            now = self._database.now(connection)
            taken = connection.execute(
                _t.update()
                .where(_t.c.id == run_id, _t.c.status == "queued", _t.c.deleted_at.is_(None))
                .values(
                    status="running",
                    attempt=_t.c.attempt + 1,
                    token=token,
                    lease_until=now + self._lease,
                    worker=worker,
                    device=device,
                    code_version=code_version,
                    started_at=now,
                    progress_at=now,
                    finished_at=None,
                    message=None,
                )
            )
            if not taken.rowcount:
                raise ConflictError(f"Run {run_id} {_why_not(connection, run_id)}: another worker has it.")
            self._events.note(connection, worker, "run.claimed", run_id, {"device": device})
        return token

    def claim_best(
        self, worker: str, device: str, queues: tuple[str, ...], processes: tuple[int, ...], code_version: str
    ) -> tuple[str, str] | None:
        """Take the best of the runs a worker may do now (order.py).

        Args:
            worker: its name.
            device: what it computes on, as people know it.
            queues: which it serves.
            processes: how many may share a training on its devices.
            code_version: of its code, which the run records.

        Returns:
            The run's id and the token of the attempt, or None where nothing waits for this worker.
        """
        for _ in range(_ROUNDS):
            best = self.next_for(queues, processes)
            for each in best:
                with contextlib.suppress(ConflictError):  # another worker was first
                    return each.id, self.claim(each.id, worker, device, code_version, of_queue=True)
            if not best:
                return None
        return None

    def next_for(self, queues: tuple[str, ...], processes: tuple[int, ...]) -> list[Waiting]:
        """The next few runs for a worker that serves these, best first; none while the queue is paused."""
        with self._database.read() as connection:
            if find_pause(connection):
                return []
            return order.waiting(connection, queues, processes, _CANDIDATES)

    def waiting(self) -> list[Waiting]:
        """Every run that waits for nothing but a worker, next first. One query, however many wait."""
        with self._database.read() as connection:
            return order.waiting(connection)

    def count_waiting(self) -> dict[tuple[str, int], int]:
        """(queue, processes that share a run) -> how many runs wait for nothing but a worker."""
        with self._database.read() as connection:
            return order.count_waiting(connection)

    def unfinished_parents(self) -> dict[str, Unfinished]:
        """Queued run -> a run it waits for. One query; others are left out."""
        with self._database.read() as connection:
            return order.unfinished_parents(connection)

    def pause(self, by: str) -> Pause:
        """Let no worker take a run any more. Returns the pause, which is another's where somebody was first."""
        with self._database.write() as connection:
            if add_pause(connection, by, self._database.now(connection)):
                self._events.note(connection, by, "queue.paused", "queue")
            pause = find_pause(connection)
        assert pause is not None
        return pause

    def resume(self, by: str) -> bool:
        """Let workers take runs again; False where the queue was not paused."""
        with self._database.write() as connection:
            ended = remove_pause(connection)
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
            waits = sa.and_(_t.c.status == "queued", _t.c.deleted_at.is_(None))
            highest = sa.select(sa.func.max(_t.c.priority)).where(waits, _t.c.id.not_in(moved))
            priority = max(0, connection.execute(highest).scalar() or 0) + 1
            connection.execute(_t.update().where(waits, _t.c.id.in_(moved)).values(priority=priority))
            self._events.note(connection, by, "run.prioritised", run_id, {"priority": priority})
        return priority


def _refuse_early(connection: Connection, run_id: str) -> None:
    query = sa.select(_t.c.id, _t.c.status).join(_parents, _parents.c.parent_id == _t.c.id)
    unfinished = connection.execute(query.where(_parents.c.run_id == run_id, _t.c.status != "done")).first()
    if unfinished is not None:
        raise ConflictError(f"Run {run_id} waits for {unfinished.id}, which is {label_of(unfinished.status)}.")


def _why_not(connection: Connection, run_id: str) -> str:
    run = find_run(connection, run_id)
    return f"is {label_of(run.status)}" if run else "does not exist or was deleted"
