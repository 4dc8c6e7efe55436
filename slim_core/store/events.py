"""Who did what: one row for every write that matters, added in the transaction of that write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.database import Database, json_safe


@dataclass(frozen=True)
class Event:
    """One write."""

    id: int
    at: datetime  # UTC
    who: str
    what: str  # "run.submitted", "campaign.closed", ...
    subject: str  # id of what was written, or an e-mail
    details: dict[str, Any]


class Events:
    """The log of writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, who: str, what: str, subject: str, details: Mapping[str, Any] | None = None) -> None:
        """Log something that is not a write of the store, such as a sign-in."""
        with self._database.write() as connection:
            self.note(connection, who, what, subject, details)

    def note(
        self, connection: Connection, who: str, what: str, subject: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """Log inside a transaction that is already open."""
        row = {"who": who, "what": what, "subject": subject, "details": json_safe(details or {})}
        connection.execute(schema.events.insert().values(at=self._database.now(connection), **row))

    def recent(self, n: int = 50, *, subject: str | None = None) -> list[Event]:
        """The latest events, newest first."""
        query = sa.select(schema.events).order_by(schema.events.c.id.desc()).limit(n)
        if subject is not None:
            query = query.where(schema.events.c.subject == subject)
        with self._database.read() as connection:
            return [Event(**row) for row in connection.execute(query).mappings()]
