"""Drawings made on an older version of a data set after the newest was registered, which took along what there was.

They are brought to the newest version at a press. What was drawn last on a content counts, whichever version it was on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.data.table import ImageTable
from slim_core.errors import DataRefusedError, NotFoundError
from slim_core.store import schema
from slim_core.store.database import Database
from slim_core.store.datasets import Dataset, Datasets, hold_dataset
from slim_core.store.events import Events
from slim_core.store.shapes.carried import Carried, carried, insert
from slim_core.store.shapes.rows import Shape, newest_seq, newest_shapes

_t = schema.shapes


class LaterDrawings:
    """What of them fits on the newest version, and bringing it there."""

    def __init__(self, database: Database, events: Events, datasets: Datasets) -> None:
        self._database, self._events, self._datasets = database, events, datasets

    def mark(self, dataset_id: str) -> tuple[int, ...]:
        """Numbers that change with whatever ``find`` depends on, itself included, and cost no file."""
        dataset = self._datasets.fetch(dataset_id)
        with self._database.read() as connection:
            return tuple(newest_seq(connection, one.id) for one in self._datasets.versions(dataset))

    def find(self, dataset_id: str) -> list[Carried]:
        """By the version that they were drawn on, those of unchanged images; none where this is not the newest.

        Raises:
            NotFoundError: there is no such data set.
        """
        dataset = self._datasets.fetch(dataset_id)
        versions = self._datasets.versions(dataset)
        if versions[0].id != dataset_id or len(versions) == 1:
            return []
        with self._database.read() as connection:
            missed = _missed(connection, versions)
        return self._fitting(self._datasets.table_of(dataset), missed) if missed else []

    def bring(self, dataset_id: str, by: str = "local") -> int:
        """Draw them on this version too, as by whom and when they were drawn; returns how many.

        Raises:
            NotFoundError: there is no such data set.
        """
        found, versions = self.find(dataset_id), self._datasets.versions(self._datasets.fetch(dataset_id))
        with self._database.write() as connection:
            hold_dataset(connection, dataset_id, alone=True)
            known = _known(connection, versions)  # somebody else may have brought them meanwhile
            new = [{row: one for row, one in each.shapes.items() if not known.holds(one)} for each in found]
            for shapes in new:
                insert(connection, dataset_id, shapes)
            n = sum(map(len, new))
            if n:
                self._events.note(connection, by, "shape.brought", dataset_id, {"drawings": n})
        return n

    def _fitting(self, table: ImageTable, missed: Sequence[tuple[Dataset, dict[int, Shape]]]) -> list[Carried]:
        found: list[Carried] = []
        taken: set[int] = set()
        for version, shapes in missed:
            try:
                each = carried(version.id, self._datasets.kept_table(version), table, shapes)
            except (NotFoundError, DataRefusedError):  # nobody knows any more which images they are on
                continue
            fitting = {row: shape for row, shape in each.shapes.items() if row not in taken}
            taken |= set(fitting)
            if fitting:
                found.append(Carried(version.id, fitting, each.left))
        return found


@dataclass(frozen=True)
class _Known:
    """What was drawn on this version, and when somebody drew on a content last, or took away, on any version."""

    there: frozenset[tuple[str, datetime, str | None]]
    last: Mapping[str, datetime]

    def holds(self, shape: Shape) -> bool:
        """Whether a drawing is on this version already, or overtaken."""
        last = self.last.get(shape.content or "")
        return (last is not None and last > shape.drawn_at) or (
            shape.drawn_by,
            shape.drawn_at,
            shape.content,
        ) in self.there


def _missed(connection: Connection, versions: Sequence[Dataset]) -> list[tuple[Dataset, dict[int, Shape]]]:
    """Of each version but the first what counts there, and neither is on the first nor overtaken."""
    known = _known(connection, versions)
    found = [(version, newest_shapes(connection, version.id)) for version in versions[1:]]
    late = [(version, {row: one for row, one in shapes.items() if not known.holds(one)}) for version, shapes in found]
    return [(version, shapes) for version, shapes in late if shapes]


def _known(connection: Connection, versions: Sequence[Dataset]) -> _Known:
    query = sa.select(_t.c.dataset_id, _t.c.drawn_by, _t.c.drawn_at, _t.c.content)
    query = query.where(_t.c.dataset_id.in_([one.id for one in versions])).order_by(_t.c.drawn_at)
    rows = connection.execute(query).all()
    there = frozenset((row.drawn_by, row.drawn_at, row.content) for row in rows if row.dataset_id == versions[0].id)
    return _Known(there, {row.content: row.drawn_at for row in rows if row.content is not None})
