"""The workers that are, or were, there: each writes a heartbeat; the pages read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from slim_core.store import schema
from slim_core.store.database import Database, plain

ALIVE_S = 60.0  # a worker that has been silent for longer counts as gone
_t = schema.workers


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

    def silent_s(self, now: datetime) -> float:
        """Seconds since its last heartbeat."""
        return max(0.0, (now - self.heartbeat_at).total_seconds())


class Workers:
    """The table of workers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(
        self,
        worker_id: str,
        *,
        host: str,
        pid: int,
        device: str,
        queues: Iterable[str],
        current_run: str | None = None,
        version: str = "",
        memory_mb: float | None = None,
        load: Mapping[str, Any] | None = None,
    ) -> None:
        """Say that a worker is there, and what it does; its first beat enters it."""
        said = {
            "host": host,
            "pid": pid,
            "device": device,
            "queues": ",".join(queues),
            "current_run": current_run,
            "version": version,
            "memory_mb": memory_mb,
            "load": plain(load or {}),
        }
        with self._database.write() as connection:
            said["heartbeat_at"] = now = self._database.now(connection)
            if not connection.execute(_t.update().where(_t.c.id == worker_id).values(**said)).rowcount:
                connection.execute(_t.insert().values(id=worker_id, started_at=now, **said))

    def alive(self, within_s: float = ALIVE_S) -> list[Worker]:
        """Those heard of lately, by host and device."""
        with self._database.read() as connection:
            since = self._database.now(connection) - timedelta(seconds=within_s)
            query = sa.select(_t).where(_t.c.heartbeat_at >= since).order_by(_t.c.host, _t.c.device, _t.c.id)
            return [Worker(**row) for row in connection.execute(query).mappings()]

    def leave(self, worker_id: str) -> None:
        """Take out a worker that ends in order."""
        with self._database.write() as connection:
            connection.execute(_t.delete().where(_t.c.id == worker_id))

    def forget_silent(self, after_s: float = 3600.0) -> int:
        """Take out those that have been silent for long; returns how many."""
        with self._database.write() as connection:
            before = self._database.now(connection) - timedelta(seconds=after_s)
            return connection.execute(_t.delete().where(_t.c.heartbeat_at < before)).rowcount
