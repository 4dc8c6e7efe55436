"""Words people put on images: of a data set, shared by all, kept until somebody takes them off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from slim_core.errors import SpecRefusedError
from slim_core.store import schema
from slim_core.store.database import Database, insert_new
from slim_core.store.datasets import Datasets, hold_dataset
from slim_core.store.events import Events

MAX_LETTERS = 80
_CHUNK = 5000  # rows in one statement
_t = schema.tags
Rows = Sequence[int] | NDArray[np.int64]


class Tags:
    """The tags of every data set."""

    def __init__(self, database: Database, events: Events, datasets: Datasets) -> None:
        self._database, self._events, self._datasets = database, events, datasets

    def add(self, dataset_id: str, rows: Rows, tag: str, by: str = "local") -> int:
        """Put a tag on images; returns how many did not have it before.

        Raises:
            SpecRefusedError: the tag is empty or too long, or a row is not of the data set.
            NotFoundError: there is no such data set.
        """
        tag, chosen = self._checked(dataset_id, rows, tag)
        with self._database.write() as connection:
            hold_dataset(connection, dataset_id)
            now, added = self._database.now(connection), 0
            about = {"dataset_id": dataset_id, "tag": tag, "added_by": by, "added_at": now}
            for start in range(0, len(chosen), _CHUNK):
                entries = [{**about, "row": row} for row in chosen[start : start + _CHUNK]]
                added += len(connection.execute(insert_new(connection, _t).returning(_t.c.row), entries).all())
            self._events.note(connection, by, "tag.added", dataset_id, {"tag": tag, "images": added})
        return added

    def remove(self, dataset_id: str, rows: Rows, tag: str, by: str = "local") -> int:
        """Take a tag off images; returns how many had it.

        Raises:
            SpecRefusedError: the tag is empty or too long, or a row is not of the data set.
            NotFoundError: there is no such data set.
        """
        tag, chosen = self._checked(dataset_id, rows, tag)
        removed = 0
        with self._database.write() as connection:
            for start in range(0, len(chosen), _CHUNK):
                part = _t.c.row.in_(chosen[start : start + _CHUNK])
                removed += connection.execute(_t.delete().where(_of(dataset_id, tag), part)).rowcount
            self._events.note(connection, by, "tag.removed", dataset_id, {"tag": tag, "images": removed})
        return removed

    def counts(self, dataset_id: str) -> dict[str, int]:
        """Tag -> images that have it, by name."""
        query = sa.select(_t.c.tag, sa.func.count()).where(_t.c.dataset_id == dataset_id).group_by(_t.c.tag)
        with self._database.read() as connection:
            return {str(tag): int(n) for tag, n in connection.execute(query.order_by(_t.c.tag))}

    def rows(self, dataset_id: str, tag: str) -> NDArray[np.int64]:
        """The images that have a tag, ascending."""
        query = sa.select(_t.c.row).where(_of(dataset_id, tag)).order_by(_t.c.row)
        with self._database.read() as connection:
            return np.array(connection.execute(query).scalars().all(), np.int64)

    def by_row(self, dataset_id: str) -> dict[int, tuple[str, ...]]:
        """Row -> its tags by name, for images with a tag."""
        query = sa.select(_t.c.row, _t.c.tag).where(_t.c.dataset_id == dataset_id).order_by(_t.c.row, _t.c.tag)
        found: dict[int, tuple[str, ...]] = {}
        with self._database.read() as connection:
            for row, tag in connection.execute(query):
                found[row] = (*found.get(row, ()), tag)
        return found

    def _checked(self, dataset_id: str, rows: Rows, tag: str) -> tuple[str, list[int]]:
        clean = clean_tag(tag)
        dataset, chosen = self._datasets.fetch(dataset_id), np.unique(np.asarray(rows, np.int64))
        outside = chosen[(chosen < 0) | (chosen >= dataset.n_images)]
        if len(outside):
            raise SpecRefusedError(f"{dataset.name} has no row {outside[0]}: its rows are 0..{dataset.n_images - 1}.")
        return clean, chosen.tolist()


def clean_tag(tag: str) -> str:
    """The tag with single spaces.

    Raises:
        SpecRefusedError: it is empty or too long, or has letters that cannot be seen.
    """
    clean = " ".join(tag.split())
    if not clean or len(clean) > MAX_LETTERS or not clean.isprintable():
        raise SpecRefusedError(f"{tag!r} is not a tag: give one of 1 to {MAX_LETTERS} characters.")
    return clean


def _of(dataset_id: str, tag: str) -> sa.ColumnElement[bool]:
    return sa.and_(_t.c.dataset_id == dataset_id, _t.c.tag == tag)
