"""The roll of workers: who works where on what, kept in the database, so that wiping Redis forgets nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from slim_core.store import Store
from slim_core.store.schema import runs as _runs
from slim_core.store.schema import workers as _workers

ALIVE = timedelta(seconds=60)  # a worker that has not been heard of for longer is taken for gone
_WORKING = ("running", "stopping")


@dataclass(frozen=True)
class WorkerEntry:
    """One worker process."""

    name: str
    host: str
    pid: int
    device: str
    queues: tuple[str, ...]
    current_run: str | None
    version: str
    memory_mb: float | None  # of the worker and its running job
    load: dict[str, Any]  # of its GPU: load_percent, temperature_c, memory_used_mb, memory_mb
    started_at: datetime
    heartbeat_at: datetime


@dataclass(frozen=True)
class Held:
    """A run in a worker's hands, with the token of its attempt."""

    run_id: str
    token: str
    stopping: bool


class Roll:
    """Entries by name of the worker."""

    def __init__(self, store: Store) -> None:
        self._database = store.database

    def beat(
        self,
        name: str,
        *,
        host: str,
        pid: int,
        device: str,
        queues: tuple[str, ...],
        version: str,
        memory_mb: float | None = None,
        load: Mapping[str, Any] | None = None,
    ) -> None:
        """Say that a worker is alive; the first time enters it."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            current = connection.execute(
                sa.select(_runs.c.id).where(_runs.c.worker == name, _runs.c.status.in_(_WORKING)).limit(1)
            ).scalar()
            changing = {
                "current_run": current,
                "memory_mb": memory_mb,
                "load": dict(load or {}),
                "heartbeat_at": now,
            }
            known = connection.execute(_workers.update().where(_workers.c.id == name).values(**changing)).rowcount
            if not known:
                fixed = {"host": host, "pid": pid, "device": device, "queues": ",".join(queues), "version": version}
                connection.execute(_workers.insert().values(id=name, started_at=now, **fixed, **changing))

    def strike(self, name: str) -> None:
        """Take a worker off the roll."""
        with self._database.write() as connection:
            connection.execute(_workers.delete().where(_workers.c.id == name))

    def alive(self) -> list[WorkerEntry]:
        """Workers heard of within the last minute, by name."""
        query = sa.select(_workers).order_by(_workers.c.id)
        with self._database.read() as connection:
            since = self._database.now(connection) - ALIVE
            rows = connection.execute(query.where(_workers.c.heartbeat_at >= since)).mappings().all()
        return [WorkerEntry(name=row["id"], queues=tuple(row["queues"].split(",")), **_same(row)) for row in rows]

    def forget_gone(self) -> None:
        """Drop the entries of workers that have long gone."""
        with self._database.write() as connection:
            since = self._database.now(connection) - 10 * ALIVE
            connection.execute(_workers.delete().where(_workers.c.heartbeat_at < since))

    def held(self, name: str) -> list[Held]:
        """What a worker has claimed and not ended: one run at most, unless something went wrong."""
        query = sa.select(_runs.c.id, _runs.c.token, _runs.c.status).where(
            _runs.c.worker == name, _runs.c.status.in_(_WORKING), _runs.c.deleted_at.is_(None)
        )
        with self._database.read() as connection:
            return [Held(row.id, row.token, row.status == "stopping") for row in connection.execute(query)]


def _same(row: sa.RowMapping) -> dict[str, Any]:
    fields = ("host", "pid", "device", "current_run", "version", "memory_mb", "load", "started_at", "heartbeat_at")
    return {name: row[name] for name in fields}
