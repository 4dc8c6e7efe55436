"""Runs as a long list: filtered, counted and paged by the database, so that ten thousand cost as little as ten."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from slim_core.store import notes, schema
from slim_core.store.database import Database, in_chunks
from slim_core.store.runs.rows import WITHOUT_METRICS, Run
from slim_core.store.runs.shards import WHOLE, ShardTotals, shard_totals, with_progress

_t = schema.runs


@dataclass(frozen=True)
class RunFilter:
    """Which runs; empty fields let every run through."""

    kinds: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    by: str | None = None
    dataset: str | None = None
    text: str = ""  # somewhere in the name, the note or a tag, or the beginning of the id
    since: datetime | None = None  # submitted then or later

    def clauses(self) -> list[sa.ColumnElement[bool]]:
        """The conditions on the table of runs; deleted runs and parts of runs (shards) never pass."""
        equal = [(_t.c.created_by, self.by), (_t.c.dataset_id, self.dataset)]
        found = [_t.c.deleted_at.is_(None), WHOLE]
        found += [_t.c.kind.in_(self.kinds)] if self.kinds else []
        found += [_t.c.status.in_(self.statuses)] if self.statuses else []
        found += [column == value for column, value in equal if value]
        found += [_t.c.created_at >= self.since] if self.since else []
        if self.text.strip():
            words = self.text.strip()
            named = sa.or_(_t.c.name.icontains(words, autoescape=True), _t.c.id.istartswith(words, autoescape=True))
            found.append(sa.or_(named, _t.c.id.in_(notes.mentioned(words))))
        return found


class History:
    """Reads the runs of a database; writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, which: RunFilter, n: int, offset: int = 0) -> list[Run]:
        """``n`` runs from ``offset`` on, newest first, without their metrics."""
        query = sa.select(*WITHOUT_METRICS).where(*which.clauses())
        query = query.order_by(_t.c.created_at.desc(), _t.c.id).limit(n).offset(offset)
        with self._database.read() as connection:
            found = [Run(**row) for row in connection.execute(query).mappings()]
            with_progress(connection, found)
        return found

    def count(self, which: RunFilter) -> int:
        """How many runs pass."""
        query = sa.select(sa.func.count()).select_from(_t).where(*which.clauses())
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def submitters(self) -> list[str]:
        """Who has submitted runs, by name."""
        query = sa.select(_t.c.created_by).distinct().where(*RunFilter().clauses()).order_by(_t.c.created_by)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def shard_totals(self, runs: Iterable[Run]) -> dict[str, ShardTotals]:
        """The shards of those runs that have any and have ended, by the id of the run."""
        with self._database.read() as connection:
            return shard_totals(connection, [run.id for run in runs if run.ended and run.shard_of is None])

    def finished(self, dataset: str) -> list[tuple[str, str, str]]:
        """(id, kind, name) of the finished runs of a data set, in the order of the ids: quick, as no spec is read."""
        done = RunFilter(dataset=dataset, statuses=("done",))
        query = sa.select(_t.c.id, _t.c.kind, _t.c.name).where(*done.clauses()).order_by(_t.c.id)
        with self._database.read() as connection:
            return [(row.id, row.kind, row.name) for row in connection.execute(query)]

    def some(self, ids: Iterable[str]) -> dict[str, Run]:
        """The runs of these ids that were not deleted, without their metrics."""
        found = dict[str, Run]()
        with self._database.read() as connection:
            for some in in_chunks(ids):
                query = sa.select(*WITHOUT_METRICS).where(_t.c.deleted_at.is_(None))
                query = query.where(_t.c.id.in_(some))
                found |= {row["id"]: Run(**row) for row in connection.execute(query).mappings()}
        return found
