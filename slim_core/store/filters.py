"""Filters that people have named: of a data set, shared by all, kept until somebody removes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.data.image_filter import ImageFilter
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store import schema
from slim_core.store.database import Database, insert_new, new_id
from slim_core.store.datasets import Datasets, hold_dataset
from slim_core.store.events import Events
from slim_core.store.tags import clean_tag

MOST = 200  # of a data set
_t = schema.filters


@dataclass(frozen=True)
class NamedFilter:
    """A filter and its name."""

    id: str
    dataset_id: str
    name: str
    parts: ImageFilter
    created_by: str
    created_at: datetime


class Filters:
    """The named filters of every data set."""

    def __init__(self, database: Database, events: Events, datasets: Datasets) -> None:
        self._database, self._events, self._datasets = database, events, datasets

    def save(self, dataset_id: str, name: str, parts: ImageFilter, by: str = "local") -> NamedFilter:
        """Keep a filter under a name; one of this name that says the same is that one.

        Raises:
            SpecRefusedError: the name is none, or names another filter; the filter lets all pass; there are too many.
            NotFoundError: there is no such data set.
        """
        name = clean_tag(name)
        self._datasets.fetch(dataset_id)
        if parts.is_empty:
            raise SpecRefusedError("Every image passes this filter: choose a label, a group or a range first.")
        with self._database.write() as connection:
            hold_dataset(connection, dataset_id)
            of_this_name = _t.c.dataset_id == dataset_id, _t.c.name == name
            if not _read(connection, *of_this_name):
                self._require_room(connection, dataset_id)
            made = NamedFilter(new_id("v"), dataset_id, name, parts, by, self._database.now(connection))
            _insert(connection, made)
            (kept,) = _read(connection, *of_this_name)  # perhaps somebody else's
            if kept.id == made.id:
                self._events.note(connection, by, "filter.saved", dataset_id, {"filter": made.id, "name": name})
        if kept.parts != parts:
            raise SpecRefusedError(f"{kept.created_by} already has a filter {name!r}: choose another name.")
        return kept

    def _require_room(self, connection: Connection, dataset_id: str) -> None:
        n = connection.execute(sa.select(sa.func.count()).where(_t.c.dataset_id == dataset_id)).scalar_one()
        if n >= MOST:
            raise SpecRefusedError(f"This data set has {n} filters: remove one first.")

    def all(self, dataset_id: str) -> list[NamedFilter]:
        """Those of a data set, by name."""
        with self._database.read() as connection:
            return _read(connection, _t.c.dataset_id == dataset_id)

    def find(self, filter_id: str) -> NamedFilter | None:
        """A filter by its id; None where it was removed."""
        with self._database.read() as connection:
            return next(iter(_read(connection, _t.c.id == filter_id)), None)

    def remove(self, filter_id: str, by: str = "local") -> None:
        """Take a filter away.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.write() as connection:
            found = _read(connection, _t.c.id == filter_id)
            if not found:
                raise NotFoundError(f"There is no filter {filter_id!r}: it was removed.")
            connection.execute(_t.delete().where(_t.c.id == filter_id))
            self._events.note(connection, by, "filter.removed", found[0].dataset_id, {"name": found[0].name})


def _insert(connection: Connection, made: NamedFilter) -> None:
    """Leaves one of the same name alone."""
    row = {**vars(made), "parts": made.parts.model_dump(mode="json")}
    connection.execute(insert_new(connection, _t), row)


def _read(connection: Connection, *which: sa.ColumnElement[bool]) -> list[NamedFilter]:
    rows = connection.execute(sa.select(_t).where(*which).order_by(_t.c.name)).mappings()
    return [NamedFilter(**{**row, "parts": ImageFilter.model_validate(row["parts"])}) for row in rows]
