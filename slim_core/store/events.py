"""Who did what: one row for every write that matters, added in its transaction, and read page by page with names."""

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


_events = schema.events
KINDS = (
    "run",
    "pipeline",
    "campaign",
    "dataset",
    "filter",
    "tag",
    "shape",
    "member",
    "queue",
)  # what an event's name begins with
_NAMED = (schema.runs, schema.campaigns, schema.datasets)  # tables whose rows have an id and a name
_OF_A_DATASET = (schema.runs, schema.campaigns, schema.pipelines)


@dataclass(frozen=True)
class ActivityFilter:
    """Which events; empty fields let every event through."""

    who: str = ""  # the beginning of a name or an e-mail, in any case
    kind: str | None = None  # one of KINDS
    dataset: str | None = None  # id: it, its runs, its campaigns and its pipelines

    def clauses(self) -> list[sa.ColumnElement[bool]]:
        """The conditions on the table of events."""
        found = [_events.c.who.istartswith(self.who.strip(), autoescape=True)] if self.who.strip() else []
        found += [_events.c.what.startswith(f"{self.kind}.", autoescape=True)] if self.kind else []
        return [*found, _of_dataset(self.dataset)] if self.dataset else found


@dataclass(frozen=True)
class Activity(Event):
    """An event, and what its subject is called."""

    name: str  # of the run, campaign or data set; "" where there is none


def find_activity(database: Database, which: ActivityFilter, n: int, *, before: int | None = None) -> list[Activity]:
    """At most ``n`` events, newest first; ``before``: only those older than the event of this id."""
    query = sa.select(*_events.c, _name_of_subject()).where(*which.clauses()).order_by(_events.c.id.desc()).limit(n)
    if before is not None:
        query = query.where(_events.c.id < before)
    with database.read() as connection:
        return [Activity(**row) for row in connection.execute(query).mappings()]


def _of_dataset(dataset: str) -> sa.ColumnElement[bool]:
    of_it = (sa.select(table.c.id).where(table.c.dataset_id == dataset) for table in _OF_A_DATASET)
    return sa.or_(_events.c.subject == dataset, *(_events.c.subject.in_(ids) for ids in of_it))


def _name_of_subject() -> sa.Label[str]:
    """Looked up row by row, of the rows that are shown alone: ids are primary keys."""
    named = (sa.select(table.c.name).where(table.c.id == _events.c.subject).scalar_subquery() for table in _NAMED)
    return sa.func.coalesce(*named, "").label("name")
