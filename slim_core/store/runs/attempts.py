"""The attempts of a run from its claim to its end: renewed, lost, ended by a compare-and-set on the attempt's token.

Of two workers that believe they own a run, only the one whose token is in the row can write progress or end it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from slim_core.errors import ConflictError, RunLostError
from slim_core.store import schema
from slim_core.store.artifacts import Artifacts
from slim_core.store.database import Database, json_safe
from slim_core.store.events import Events
from slim_core.store.runs.dependants import HOW, end_waiting, hold_parents, retried_with, stopped_with
from slim_core.store.runs.rows import Run, find_run, held_in_order, lock_run
from slim_core.store.runs.shards import fate, shards_of
from slim_core.store.runs.states import STOPPABLE, UNFINISHED, WORKING

MAX_LOSSES = 2  # a run whose worker vanished resumes so many times
_t, _parents = schema.runs, schema.run_parents
_OF_THE_PACE = ("images_per_s", "seconds_left")  # of the progress: what the next attempt must not be shown with


class Attempts:
    """What workers do with the runs they have claimed, and people who stop a run or have it tried again."""

    def __init__(self, database: Database, artifacts: Artifacts, events: Events, lease_s: float = 30.0) -> None:
        self._database, self._artifacts, self._events = database, artifacts, events
        self._lease = timedelta(seconds=lease_s)

    def renew(self, run_id: str, token: str) -> bool:
        """Extend the lease.

        Returns:
            True where someone asked the run to stop.

        Raises:
            RunLostError: another attempt owns the run.
        """
        with self._database.write() as connection:
            lease_until = self._database.now(connection) + self._lease
            self._change(connection, run_id, token, lease_until=lease_until)
            status = connection.execute(sa.select(_t.c.status).where(_t.c.id == run_id)).scalar_one()
        return bool(status == "stopping")

    def progress(self, run_id: str, token: str, progress: Mapping[str, Any]) -> None:
        """Keep how far the run is: done, total, phase and whatever the step adds (plain JSON).

        Raises:
            RunLostError: another attempt owns the run.
        """
        with self._database.write() as connection:
            now = self._database.now(connection)
            self._change(connection, run_id, token, progress=json_safe(progress), progress_at=now)

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
            run = self._owned(connection, run_id, token)
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
            run = self._owned(connection, run_id, token)
            progress = run.progress | ({"error": error} if error else {})
            self._end(connection, run, "failed", message, peak_memory_mb=peak_memory_mb, progress=progress)

    def cancel(self, run_id: str, token: str) -> None:
        """Stopped as asked; its checkpoints stay, so that it can be resumed.

        Raises:
            RunLostError: another attempt owns the run; nothing was changed.
        """
        with self._database.write() as connection:
            self._end(connection, self._owned(connection, run_id, token), "canceled", "Stopped as asked.")

    def requeue(self, run_id: str, token: str) -> None:
        """Queue a run again because its worker shuts down; does not count as a loss.

        Raises:
            RunLostError: another attempt owns the run; nothing was changed.
        """
        with self._database.write() as connection:
            run = self._owned(connection, run_id, token)
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
                self._refuse_before_parent(connection, run_id)
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

    def _refuse_before_parent(self, connection: Connection, run_id: str) -> None:
        query = sa.select(_t.c.id, _t.c.status).join(_parents, _parents.c.parent_id == _t.c.id)
        query = query.where(_parents.c.run_id == run_id, _t.c.status.in_(UNFINISHED))
        parent = connection.execute(query).first()
        if parent is not None:
            raise ConflictError(f"Its parent {parent.id} {HOW[parent.status]}: retry that one first.")

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
            self._lose(connection, self._owned(connection, run_id, token), why, remedy, counts=counts)
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

    def _change(self, connection: Connection, run_id: str, token: str, /, **values: Any) -> None:
        mine = _t.update().where(_t.c.id == run_id, _t.c.token == token, _t.c.status.in_(WORKING))
        if not connection.execute(mine.values(**values)).rowcount:
            raise RunLostError(f"Run {run_id} no longer belongs to this attempt: its result is dropped.")

    def _owned(self, connection: Connection, run_id: str, token: str) -> Run:
        self._change(connection, run_id, token, token=token)  # locks the row where the token is ours
        return lock_run(connection, run_id)


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
