"""Who did what, for people: the log of writes filtered and read page by page, with the names of what was written."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from slim_core.store import schema
from slim_core.store.database import Database
from slim_core.store.events import Event

_t = schema.events
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
        found = [_t.c.who.istartswith(self.who.strip(), autoescape=True)] if self.who.strip() else []
        found += [_t.c.what.startswith(f"{self.kind}.", autoescape=True)] if self.kind else []
        return [*found, _of_dataset(self.dataset)] if self.dataset else found


@dataclass(frozen=True)
class Activity(Event):
    """An event, and what its subject is called."""

    name: str  # of the run, campaign or data set; "" where there is none


def find_activity(database: Database, which: ActivityFilter, n: int, *, before: int | None = None) -> list[Activity]:
    """At most ``n`` events, newest first; ``before``: only those older than the event of this id."""
    query = sa.select(*_t.c, _name()).where(*which.clauses()).order_by(_t.c.id.desc()).limit(n)
    if before is not None:
        query = query.where(_t.c.id < before)
    with database.read() as connection:
        return [Activity(**row) for row in connection.execute(query).mappings()]


def _of_dataset(dataset: str) -> sa.ColumnElement[bool]:
    of_it = (sa.select(table.c.id).where(table.c.dataset_id == dataset) for table in _OF_A_DATASET)
    return sa.or_(_t.c.subject == dataset, *(_t.c.subject.in_(ids) for ids in of_it))


def _name() -> sa.Label[str]:
    """Looked up row by row, of the rows that are shown alone: ids are primary keys."""
    named = (sa.select(table.c.name).where(table.c.id == _t.c.subject).scalar_subquery() for table in _NAMED)
    return sa.func.coalesce(*named, "").label("name")
