"""The workers that are alive, and what blocks them: where a disk has no room, they take no run until it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from slim_core.result_files import MB, free_bytes
from slim_core.store import schema
from slim_core.store.artifacts import local_folder
from slim_core.store.database import Database, insert_new, json_safe
from slim_core.store.runs.rows import COLUMNS, WORKING, Run

if TYPE_CHECKING:
    from slim_core.store import Store

ALIVE_S = 60.0  # a worker that has been silent for longer counts as gone
_t = schema.workers
LEAST_FREE_MB = 50  # which a run needs to start: room for its log, its tables and a checkpoint


@dataclass(frozen=True)
class Heartbeat:
    """What a worker says of itself each few seconds."""

    id: str
    host: str
    pid: int
    device: str  # as people know it, such as cuda:1
    queues: Sequence[str]
    current_run: str | None = None
    version: str | None = None  # of its code; None: as it said before
    memory_mb: float | None = None
    load: Mapping[str, Any] = field(default_factory=dict)  # of its GPU, where it has one


@dataclass(frozen=True)
class Worker:
    """One worker process."""

    id: str
    host: str
    pid: int
    device: str
    queues: str  # joined by ","
    current_run: str | None
    version: str  # of the code
    memory_mb: float | None
    started_at: datetime
    heartbeat_at: datetime
    load: dict[str, Any] = field(default_factory=dict)  # of its GPU, where it has one
    blocked: str | None = None  # why it takes no run, as a part of a sentence; None: it does

    def serves(self, queue: str, processes: int = 1) -> bool:
        """Whether it takes runs of a queue that so many processes share."""
        return queue in self.queues.split(",") and processes in processes_on(self.device)

    def silent_s(self, now: datetime) -> float:
        """Seconds since its last heartbeat."""
        return max(0.0, (now - self.heartbeat_at).total_seconds())


def is_gpu(device: str) -> bool:
    """Whether a device is a GPU: "cuda:0", "mps"."""
    return device.startswith(("cuda", "mps"))


def processes_on(device: str) -> tuple[int, ...]:
    """How many processes may share a training there: as many on each machine (``cuda:0+1*3``: three of them), or 1."""
    here, _, machines = device.partition(":")[2].partition("*")
    each = int(machines or 1)
    return tuple(sorted({1, *(each * n for n in range(1, here.count("+") + 2))}))


class Workers:
    """The table of workers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, heartbeat: Heartbeat) -> None:
        """Say that a worker is there, and what it does; its first beat enters it. A beat without a version keeps it.

        Its service says so too: where that has entered it a moment ago, this beat counts after that one.
        """
        said = asdict(heartbeat) | {"queues": ",".join(heartbeat.queues), "load": json_safe(heartbeat.load)}
        if heartbeat.version is None:
            del said["version"]
        with self._database.write() as connection:
            said["heartbeat_at"] = now = self._database.now(connection)
            beat = _t.update().where(_t.c.id == heartbeat.id).values(**said)
            if not connection.execute(beat).rowcount:
                connection.execute(insert_new(connection, _t).values(**{"version": "", "started_at": now, **said}))
                connection.execute(beat)

    def block(self, worker_id: str, why: str | None) -> None:
        """Say why a worker takes no run, as a part of a sentence; None: it does again. Its heartbeats leave that."""
        with self._database.write() as connection:
            connection.execute(_t.update().where(_t.c.id == worker_id).values(blocked=why))

    def alive(self, within_s: float = ALIVE_S) -> list[Worker]:
        """Those heard of lately, by host and device."""
        with self._database.read() as connection:
            since = self._database.now(connection) - timedelta(seconds=within_s)
            query = sa.select(_t).where(_t.c.heartbeat_at >= since).order_by(_t.c.host, _t.c.device, _t.c.id)
            return [Worker(**row) for row in connection.execute(query).mappings()]

    def claims(self, worker_id: str) -> dict[str, Run]:
        """Token -> run: what a worker has claimed and not ended; one at most, unless something went wrong."""
        runs = schema.runs.c
        query = sa.select(runs.token, *COLUMNS).where(runs.worker == worker_id, runs.status.in_(WORKING))
        with self._database.read() as connection:
            found = map(dict, connection.execute(query.where(runs.deleted_at.is_(None))).mappings())
            return {row.pop("token"): Run(**row) for row in found}

    def have_gpu(self) -> bool:
        """Whether any that is alive computes on a GPU."""
        return any(is_gpu(worker.device) for worker in self.alive())

    def leave(self, worker_id: str) -> None:
        """Take out a worker that ends in order."""
        with self._database.write() as connection:
            connection.execute(_t.delete().where(_t.c.id == worker_id))

    def forget_silent(self, after_s: float = 3600.0) -> int:
        """Take out those that have been silent for long; returns how many."""
        with self._database.write() as connection:
            before = self._database.now(connection) - timedelta(seconds=after_s)
            return connection.execute(_t.delete().where(_t.c.heartbeat_at < before)).rowcount


def output_folders(store: Store) -> list[Path]:
    """The folders to which a run of this process writes: the home, and that of the artifacts where it is another."""
    home = store.settings.home.resolve()
    return list(dict.fromkeys((home, local_folder(store.settings.artifacts) or home)))


def disk_shortage(store: Store) -> str | None:
    """That no run starts, as the disk of one of these folders is too full: a part of a sentence, with the remedy."""
    for place in output_folders(store):
        free = free_bytes(place)
        if free is not None and free < LEAST_FREE_MB * MB:
            return f"the disk of {place} has {free // MB} MB free, and a run needs {LEAST_FREE_MB} MB: free some space."
    return None


def workers_with_blocks(store: Store) -> list[Worker]:
    """The living workers, each with what blocks it.

    On a disk without a free byte no worker of SQLite can say so: where all share this process's home, it is seen here.
    """
    workers = store.workers.alive()
    here = disk_shortage(store) if store.settings.embedded else None
    return workers if here is None else [replace(worker, blocked=here) for worker in workers]


def block_messages(workers: Iterable[Worker]) -> list[str]:
    """A sentence for each reason why some of these workers take no run."""
    workers = list(workers)
    by_reason: dict[str, list[str]] = {}
    for worker in workers:
        if worker.blocked:
            by_reason.setdefault(worker.blocked, []).append(worker.id)
    return [
        f"No run starts: {reason}" if len(names) == len(workers) else f"No run starts on {', '.join(names)}: {reason}"
        for reason, names in by_reason.items()
    ]
