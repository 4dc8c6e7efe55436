"""The attempts of a run from its claim to its end: taken, renewed, lost, ended by a compare-and-set on the token.

Of two workers that believe they own a run, only the one whose token is in the row can write progress or end it. Runs
that wait for one that ends without a result end with it, and are queued again with it: the row of such a run names the
one it ended with; that of a run that somebody stopped, or that failed by itself, none.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from slim_core.errors import ConflictError, RunLostError
from slim_core.store import schema
from slim_core.store.artifacts import Artifacts
from slim_core.store.database import Database, in_chunks, json_safe
from slim_core.store.events import Events
from slim_core.store.runs.lineage import descendants_of
from slim_core.store.runs.queue import FIRST, find_pause, waiting
from slim_core.store.runs.rows import (
    STOPPABLE,
    UNFINISHED,
    WHOLE,
    WORKING,
    Run,
    fate,
    find_run,
    held_in_order,
    hold_runs,
    label_of,
    lock_run,
    shards_of,
)

_ROUNDS = 5
MAX_LOSSES = 2  # a run whose worker vanished resumes so many times
_t, _parents = schema.runs, schema.run_parents
_OF_THE_PACE = ("images_per_s", "seconds_left")  # of the progress: what the next attempt must not be shown with


class Attempts:
    """What workers do with the runs they take, and people who stop a run or have it tried again."""

    def __init__(self, database: Database, artifacts: Artifacts, events: Events, lease_s: float = 30.0) -> None:
        self._database, self._artifacts, self._events = database, artifacts, events
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
        """Take the best of the runs a worker may do now (queue.py).

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
            with self._database.read() as connection:
                best = [] if find_pause(connection) else waiting(connection, queues, processes, FIRST)
            for each in best:
                with contextlib.suppress(ConflictError):  # another worker was first
                    return each.id, self.claim(each.id, worker, device, code_version, of_queue=True)
            if not best:
                return None
        return None

    def renew(self, run_id: str, token: str) -> bool:
        """Extend the lease.

        Returns:
            True where someone asked the run to stop.

        Raises:
            RunLostError: another attempt owns the run.
        """
        with self._database.write() as connection:
            lease_until = self._database.now(connection) + self._lease
            _change(connection, run_id, token, lease_until=lease_until)
            status = connection.execute(sa.select(_t.c.status).where(_t.c.id == run_id)).scalar_one()
        return bool(status == "stopping")

    def progress(self, run_id: str, token: str, progress: Mapping[str, Any]) -> None:
        """Keep how far the run is: done, total, phase and whatever the step adds (plain JSON).

        Raises:
            RunLostError: another attempt owns the run.
        """
        with self._database.write() as connection:
            now = self._database.now(connection)
            _change(connection, run_id, token, progress=json_safe(progress), progress_at=now)

    def stop_requested(self, run_id: str) -> bool:
        """True where someone asked the run to stop, or where it is no longer running at all."""
        with self._database.read() as connection:
            status = connection.execute(sa.select(_t.c.status).where(_t.c.id == run_id)).scalar()
        return status != "running"

    def request_stop(self, run_id: str, by: str = "local") -> Run:
        """Cancel a queued run at once, ask a running one to stop; an ended one stays as it is. So with its shards."""
        with self._database.write() as connection:
            shards = shards_of(connection, run_id, lock=True)
            begun = any(shard.attempt for shard in shards)
            self._stop(connection, lock_run(connection, run_id), by, begun=begun)
            for shard in shards:
                self._stop(connection, shard, by, begun=False)
            return lock_run(connection, run_id)

    def _stop(self, connection: Connection, run: Run, by: str, *, begun: bool) -> None:
        if run.status == "queued":
            kept = f"Stopped by {by}: the shards that are done are kept for a retry."
            self._end(connection, run, "canceled", kept if begun else f"Stopped by {by} before it started.")
        elif run.status == "running":
            connection.execute(_t.update().where(_t.c.id == run.id).values(status="stopping"))
        if run.status in STOPPABLE:
            self._events.note(connection, by, "run.stop", run.id)

    def finish(self, run_id: str, token: str, metrics: Mapping[str, Any], peak_memory_mb: float | None = None) -> None:
        """Done. Publish the artifacts before; the attempts' leftovers are removed after.

        Raises:
            RunLostError: another attempt owns the run; nothing was changed.
        """
        with self._database.write() as connection:
            run = _owned(connection, run_id, token)
            self._end(connection, run, "done", None, metrics=json_safe(metrics), peak_memory_mb=peak_memory_mb)
            merged = shards_of(connection, run_id)
        self._artifacts.tidy(run_id)
        for shard in merged:  # what they left is in this run now
            self._artifacts.keep_records(shard.id)

    def fail(
        self, run_id: str, token: str, message: str, peak_memory_mb: float | None = None, error: str | None = None
    ) -> None:
        """Failed, with the sentence that says why. Runs that wait for it end with it, as they do where it is stopped.

        ``error``: the class of the error, by which programs tell failures apart; it is kept with the progress.

        Raises:
            RunLostError: another attempt owns the run; nothing was changed.
        """
        with self._database.write() as connection:
            run = _owned(connection, run_id, token)
            progress = run.progress | ({"error": error} if error else {})
            self._end(connection, run, "failed", message, peak_memory_mb=peak_memory_mb, progress=progress)

    def cancel(self, run_id: str, token: str) -> None:
        """Stopped as asked; its checkpoints stay, so that it can be resumed.

        Raises:
            RunLostError: another attempt owns the run; nothing was changed.
        """
        with self._database.write() as connection:
            self._end(connection, _owned(connection, run_id, token), "canceled", "Stopped as asked.")

    def requeue(self, run_id: str, token: str) -> None:
        """Queue a run again because its worker shuts down; does not count as a loss.

        Raises:
            RunLostError: another attempt owns the run; nothing was changed.
        """
        with self._database.write() as connection:
            run = _owned(connection, run_id, token)
            if run.status == "stopping":
                self._end(connection, run, "canceled", "Stopped as asked.")
            else:
                self._events.note(connection, run.worker or "", "run.handed_back", run.id, {"attempt": run.attempt})
                self._requeue(connection, run, "Its worker shut down; it resumes from its last checkpoint.")

    def retry(self, run_id: str, by: str = "local") -> Run:
        """Queue a failed or canceled run again; it resumes from its last checkpoint, if it has one. So with its shards.

        With it those that ended only because they waited for it (``retried_with``).

        Raises:
            ConflictError: it has not failed or been canceled, a parent of it has, or the same run is queued or done
                already.
        """
        try:
            with self._database.write() as connection:
                hold_parents(connection, run_id)
                shards = shards_of(connection, run_id, lock=True)
                run = lock_run(connection, run_id)
                if run.status not in UNFINISHED:
                    raise ConflictError(_why_not_retried(run))
                if any(shard.status == "stopping" for shard in shards):
                    raise ConflictError(f"Shards of run {run_id} are still stopping: retry in a few seconds.")
                dependants = [lock_run(connection, one) for one in retried_with(connection, run_id)]
                self._requeue_anew(connection, [run, *dependants, *shards])
                _refuse_before_parent(connection, run_id)
                self._events.note(connection, by, "run.retried", run_id)
                return lock_run(connection, run_id)
        except IntegrityError as error:
            raise ConflictError(f"The same run as {run_id} is queued, running or done already: use that.") from error

    def stopped_with(self, run_id: str) -> int:
        """How many runs wait for this one, and so end with it where it is stopped or fails; no shards."""
        with self._database.read() as connection:
            return stopped_with(connection, run_id)

    def retried_with(self, run_id: str) -> list[str]:
        """Ids of the runs that ``retry`` queues again with this one, which ended only because it did; no shards."""
        with self._database.read() as connection:
            return [one for one, whole in retried_with(connection, run_id).items() if whole is None]

    def overdue(self) -> list[str]:
        """Ids of the runs whose worker stopped renewing its lease: it was killed, or is suspended.

        A service ends that within seconds (``lose_expired``); where none runs, they stay so.
        """
        with self._database.read() as connection:
            return list(connection.execute(_overdue(self._database.now(connection))).scalars())

    def lose_expired(self, now: datetime | None = None) -> list[Run]:
        """End or queue again every run whose worker stopped renewing its lease.

        Returns:
            Those runs as they are now: queued (put them back into the queue), failed or canceled.
        """
        with self._database.read() as connection:
            moment = now or self._database.now(connection)
            if not connection.execute(_overdue(moment).limit(1)).first():
                return []
        with self._database.write() as connection:
            late = held_in_order(connection, _overdue(moment))  # other services do the same at the same time
            for run_id in late:
                run = lock_run(connection, run_id)
                seen = run.lease_until and run.lease_until - self._lease  # the last renewal: it worked so long for sure
                self._lose(connection, replace(run, lease_until=seen))
            return [lock_run(connection, run_id) for run_id in late]

    def lose(self, run_id: str, token: str, why: str, remedy: str | None = None, *, counts: bool = True) -> Run:
        """End or queue again a run whose process was seen to die: it need not wait for its lease to end.

        ``why`` continues the sentence "Its worker <name> ...", such as "was killed by signal 9 (SIGKILL)"; ``remedy``
        ends the sentence of a run that was lost too often to resume by itself; ``counts``: whether this is such a loss.

        Raises:
            RunLostError: another attempt owns the run; nothing was changed.
        """
        with self._database.write() as connection:
            self._lose(connection, _owned(connection, run_id, token), why, remedy, counts=counts)
            return lock_run(connection, run_id)

    def _lose(
        self, connection: Connection, run: Run, why: str = "vanished", remedy: str | None = None, *, counts: bool = True
    ) -> None:
        self._events.note(connection, run.worker or "", "run.lost", run.id, {"attempt": run.attempt, "why": why})
        if run.status == "stopping":
            self._end(connection, run, "canceled", "Stopped: its worker ended before it could report.")
        elif counts and run.losses >= MAX_LOSSES:
            sentence = f"Its worker vanished {run.losses + 1} times (killed, out of memory, or its machine went down)"
            sentence += "" if why == "vanished" else f", the last time it {why}"
            smaller = "use a smaller batch, " if "batch_size" in run.spec else ""
            self._end(connection, run, "failed", f"{sentence}: {remedy or f'see the log, {smaller}then retry.'}")
        else:
            sentence = f"Its worker {run.worker} {why}; it resumes from its last checkpoint."
            self._requeue(connection, run, sentence, losses=run.losses + counts)

    def _requeue_anew(self, connection: Connection, runs: Iterable[Run]) -> None:
        """Those that ended without a result, as asked for now: behind what waits already."""
        queued_at = self._database.now(connection)
        for run in runs:
            if run.status in UNFINISHED:
                anew: dict[str, Any] = {"losses": 0, "queued_at": queued_at}
                if run.shard_of is None:  # the progress of a shard says how large it is
                    anew |= {"progress": {}, "notified_at": None}
                self._requeue(connection, run, None, **anew)

    def _requeue(self, connection: Connection, run: Run, message: str | None, **values: Any) -> None:
        """It keeps its place among those that wait, unless another ``queued_at`` is given."""
        now = self._database.now(connection)
        values |= {"status": "queued", "token": None, "lease_until": None, "finished_at": None, "ended_with": None}
        values["seconds"] = run.seconds + (_seconds_spent(run, now) if run.status in WORKING else 0.0)
        values.setdefault("progress", {name: run.progress[name] for name in run.progress if name not in _OF_THE_PACE})
        connection.execute(_t.update().where(_t.c.id == run.id).values(message=message, **values))

    def _end(self, connection: Connection, run: Run, status: str, message: str | None, **values: Any) -> None:
        now = self._database.now(connection)
        spent = run.seconds + (_seconds_spent(run, now) if run.status in WORKING else 0.0)
        values |= {"status": status, "message": message, "finished_at": now, "seconds": spent}
        connection.execute(_t.update().where(_t.c.id == run.id).values(token=None, lease_until=None, **values))
        self._events.note(connection, run.worker or run.created_by, f"run.{status}", run.id, {"message": message})
        if status != "done":
            if run.shard_of is not None:
                self._end_whole(connection, run.shard_of, status, fate(run, status, message))
            end_waiting(connection, run.id, status, now)

    def _end_whole(self, connection: Connection, run_id: str, status: str, message: str) -> None:
        """A shard did not get done: neither does the run it is a part of."""
        whole = find_run(connection, run_id, lock=True)
        if whole is not None and whole.status == "queued":
            self._end(connection, whole, status, message)


def _refuse_before_parent(connection: Connection, run_id: str) -> None:
    query = sa.select(_t.c.id, _t.c.status).join(_parents, _parents.c.parent_id == _t.c.id)
    query = query.where(_parents.c.run_id == run_id, _t.c.status.in_(UNFINISHED))
    parent = connection.execute(query).first()
    if parent is not None:
        raise ConflictError(f"Its parent {parent.id} {HOW[parent.status]}: retry that one first.")


def _change(connection: Connection, run_id: str, token: str, /, **values: Any) -> None:
    mine = _t.update().where(_t.c.id == run_id, _t.c.token == token, _t.c.status.in_(WORKING))
    if not connection.execute(mine.values(**values)).rowcount:
        raise RunLostError(f"Run {run_id} no longer belongs to this attempt: its result is dropped.")


def _owned(connection: Connection, run_id: str, token: str) -> Run:
    _change(connection, run_id, token, token=token)  # locks the row where the token is ours
    return lock_run(connection, run_id)


def _refuse_early(connection: Connection, run_id: str) -> None:
    query = sa.select(_t.c.id, _t.c.status).join(_parents, _parents.c.parent_id == _t.c.id)
    unfinished = connection.execute(query.where(_parents.c.run_id == run_id, _t.c.status != "done")).first()
    if unfinished is not None:
        raise ConflictError(f"Run {run_id} waits for {unfinished.id}, which is {label_of(unfinished.status)}.")


def _why_not(connection: Connection, run_id: str) -> str:
    run = find_run(connection, run_id)
    return f"is {label_of(run.status)}" if run else "does not exist or was deleted"


def _overdue(moment: datetime) -> sa.Select[Any]:
    working = (_t.c.status.in_(WORKING), _t.c.deleted_at.is_(None))
    return sa.select(_t.c.id).where(*working, _t.c.lease_until < moment)


def _why_not_retried(run: Run) -> str:
    remedies = {
        "done": "run it again as a new run (`slim submit --force`)",
        "stopping": "retry it in a few seconds, once it has stopped",
        "running": "wait for it, or stop it first",
        "queued": "it starts by itself",
    }
    return f"Run {run.id} is {run.status}: only a failed or stopped run is retried; {remedies[run.status]}."


def _seconds_spent(run: Run, now: datetime) -> float:
    """What its current attempt took, until its lease ended at the latest."""
    if run.started_at is None:
        return 0.0
    end = min(now, run.lease_until) if run.lease_until else now
    return max(0.0, (end - run.started_at).total_seconds())


HOW = {"failed": "has failed", "canceled": "was stopped"}  # a parent has ended


def end_waiting(connection: Connection, run_id: str, status: str, now: datetime) -> None:
    """Those that wait for a run end as it did: nothing has failed where somebody stopped it.

    Who submits a run holds its parents (``Runs.submit``): one that is submitted meanwhile behind one of them is seen
    after the update, which waits for it.
    """
    message = f"Its parent {run_id} {HOW[status]}: retry that one, and this is queued again with it."
    ended = {"status": status, "message": message, "ended_with": run_id, "finished_at": now}
    while True:
        waiting = _t.c.id.in_(descendants_of(connection, [run_id]))
        if not connection.execute(_t.update().where(waiting, _t.c.status == "queued").values(**ended)).rowcount:
            return


def stopped_with(connection: Connection, run_id: str) -> int:
    """How many runs wait for this one, directly or not, and so end with it; no shards. One query, as pages poll it."""
    below = sa.select(_parents.c.run_id).where(_parents.c.parent_id == run_id).cte(recursive=True)
    below = below.union(sa.select(_parents.c.run_id).join(below, _parents.c.parent_id == below.c.run_id))
    waiting = sa.select(sa.func.count()).select_from(_t).join(below, below.c.run_id == _t.c.id)
    return connection.execute(waiting.where(_t.c.status == "queued", WHOLE)).scalar_one()


def hold_parents(connection: Connection, run_id: str) -> None:
    """Keep what a run waits for, and what those do that are retried with it, from ending before the transaction."""
    parents = sa.select(_parents.c.parent_id)
    queued_again = in_chunks([run_id, *retried_with(connection, run_id)])
    found = [connection.execute(parents.where(_parents.c.run_id.in_(some))).scalars() for some in queued_again]
    hold_runs(connection, chain.from_iterable(found))


def retried_with(connection: Connection, run_id: str) -> dict[str, str | None]:
    """The runs that a retry of this one queues again with it, nearest first: id -> the run it is a shard of.

    They ended because a run they waited for did, and wait for no other that has ended and stays so.
    """
    found = _ended_with_parent(connection, descendants_of(connection, [run_id]))
    parents = _ended_parents(connection, found)
    while blocked := [one for one in found if parents[one] - {run_id, *found}]:
        found = {one: whole for one, whole in found.items() if one not in blocked}
    return found


def _ended_with_parent(connection: Connection, ids: Collection[str]) -> dict[str, str | None]:
    """Those of the runs that did, in their order: id -> the run it is a shard of."""
    found = dict[str, str | None]()
    for some in in_chunks(ids):
        query = sa.select(_t.c.id, _t.c.shard_of).where(_t.c.id.in_(some), _t.c.ended_with.is_not(None))
        found |= {row.id: row.shard_of for row in connection.execute(query)}
    return {one: found[one] for one in ids if one in found}


def _ended_parents(connection: Connection, ids: Collection[str]) -> dict[str, set[str]]:
    """Run -> those of its parents that ended without a result."""
    found: dict[str, set[str]] = {one: set() for one in ids}
    for some in in_chunks(ids):
        query = sa.select(_parents.c.run_id, _parents.c.parent_id).join(_t, _t.c.id == _parents.c.parent_id)
        for run_id, parent in connection.execute(query.where(_parents.c.run_id.in_(some), _t.c.status.in_(UNFINISHED))):
            found[run_id].add(parent)
    return found
