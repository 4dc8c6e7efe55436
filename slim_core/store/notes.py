"""What people write of what there is: tags of images, named filters, and names, notes and tags of data sets and runs.

Tags of images and filters are of a data set, shared by all, kept until somebody removes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from slim_core.data.image_filter import ImageFilter
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store import schema
from slim_core.store.database import Database, insert_new, new_id
from slim_core.store.datasets import Datasets, find_dataset, hold_dataset, normalise_spaces
from slim_core.store.datasets import rename as rename_dataset
from slim_core.store.events import Events

MAX_LETTERS = 80
_CHUNK = 5000  # rows in one statement
Rows = Sequence[int] | NDArray[np.int64]

_image_tags, _filters, _notes, _note_tags = schema.tags, schema.filters, schema.notes, schema.note_tags


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
                added += len(
                    connection.execute(insert_new(connection, _image_tags).returning(_image_tags.c.row), entries).all()
                )
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
                part = _image_tags.c.row.in_(chosen[start : start + _CHUNK])
                removed += connection.execute(_image_tags.delete().where(_of(dataset_id, tag), part)).rowcount
            self._events.note(connection, by, "tag.removed", dataset_id, {"tag": tag, "images": removed})
        return removed

    def counts(self, dataset_id: str) -> dict[str, int]:
        """Tag -> images that have it, by name."""
        query = (
            sa.select(_image_tags.c.tag, sa.func.count())
            .where(_image_tags.c.dataset_id == dataset_id)
            .group_by(_image_tags.c.tag)
        )
        with self._database.read() as connection:
            return {str(tag): int(n) for tag, n in connection.execute(query.order_by(_image_tags.c.tag))}

    def rows(self, dataset_id: str, tag: str) -> NDArray[np.int64]:
        """The images that have a tag, ascending."""
        query = sa.select(_image_tags.c.row).where(_of(dataset_id, tag)).order_by(_image_tags.c.row)
        with self._database.read() as connection:
            return np.array(connection.execute(query).scalars().all(), np.int64)

    def by_row(self, dataset_id: str) -> dict[int, tuple[str, ...]]:
        """Row -> its tags by name, for images with a tag."""
        query = (
            sa.select(_image_tags.c.row, _image_tags.c.tag)
            .where(_image_tags.c.dataset_id == dataset_id)
            .order_by(_image_tags.c.row, _image_tags.c.tag)
        )
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
    return sa.and_(_image_tags.c.dataset_id == dataset_id, _image_tags.c.tag == tag)


MOST_FILTERS = 200  # of a data set


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
            of_this_name = _filters.c.dataset_id == dataset_id, _filters.c.name == name
            if not _read_filters(connection, *of_this_name):
                self._require_room(connection, dataset_id)
            made = NamedFilter(new_id("v"), dataset_id, name, parts, by, self._database.now(connection))
            _insert_filter(connection, made)
            (kept,) = _read_filters(connection, *of_this_name)  # perhaps somebody else's
            if kept.id == made.id:
                self._events.note(connection, by, "filter.saved", dataset_id, {"filter": made.id, "name": name})
        if kept.parts != parts:
            raise SpecRefusedError(f"{kept.created_by} already has a filter {name!r}: choose another name.")
        return kept

    def _require_room(self, connection: Connection, dataset_id: str) -> None:
        n = connection.execute(sa.select(sa.func.count()).where(_filters.c.dataset_id == dataset_id)).scalar_one()
        if n >= MOST_FILTERS:
            raise SpecRefusedError(f"This data set has {n} filters: remove one first.")

    def all(self, dataset_id: str) -> list[NamedFilter]:
        """Those of a data set, by name."""
        with self._database.read() as connection:
            return _read_filters(connection, _filters.c.dataset_id == dataset_id)

    def find(self, filter_id: str) -> NamedFilter | None:
        """A filter by its id; None where it was removed."""
        with self._database.read() as connection:
            return next(iter(_read_filters(connection, _filters.c.id == filter_id)), None)

    def remove(self, filter_id: str, by: str = "local") -> None:
        """Take a filter away.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.write() as connection:
            found = _read_filters(connection, _filters.c.id == filter_id)
            if not found:
                raise NotFoundError(f"There is no filter {filter_id!r}: it was removed.")
            connection.execute(_filters.delete().where(_filters.c.id == filter_id))
            self._events.note(connection, by, "filter.removed", found[0].dataset_id, {"name": found[0].name})


def _insert_filter(connection: Connection, made: NamedFilter) -> None:
    """Leaves one of the same name alone."""
    row = {**vars(made), "parts": made.parts.model_dump(mode="json")}
    connection.execute(insert_new(connection, _filters), row)


def _read_filters(connection: Connection, *which: sa.ColumnElement[bool]) -> list[NamedFilter]:
    rows = connection.execute(sa.select(_filters).where(*which).order_by(_filters.c.name)).mappings()
    return [NamedFilter(**{**row, "parts": ImageFilter.model_validate(row["parts"])}) for row in rows]


MAX_NAME, MAX_TEXT, MAX_TAGS = 200, 10_000, 20
_NAMED = {"dataset": schema.datasets, "run": schema.runs, "campaign": schema.campaigns}


@dataclass(frozen=True)
class Note:
    """``tags``: by name."""

    text: str = ""
    tags: tuple[str, ...] = ()


class Notes:
    """What is written of every data set, run and campaign."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database, self._events = database, events

    def write(self, subject: str, *, name: str, text: str, tags: Collection[str], by: str = "local") -> None:
        """Name a data set, run or campaign, by its id, and replace its note and tags.

        Raises:
            NotFoundError: there is no such data set, run or campaign.
            SpecRefusedError: the name is empty or too long, the note too long, a tag is none, or there are too many.
            ConflictError: another data set has this name.
        """
        name, text, chosen = _checked_name(name), _checked_text(text), _checked_tags(tags)
        with self._database.write() as connection:
            kind = _rename(connection, subject, name)
            self._describe(connection, subject, text, chosen, by)
            self._events.note(connection, by, f"{kind}.described", subject, {"name": name, "tags": chosen})

    def fetch(self, subject: str) -> Note:
        """What is written of a data set, run or campaign; empty where nothing is."""
        return self.some([subject]).get(subject, Note())

    def some(self, subjects: Iterable[str]) -> dict[str, Note]:
        """Id -> what is written of it; those without are left out."""
        with self._database.read() as connection:
            return _read(connection, list(subjects))

    def tags(self) -> list[str]:
        """Every tag in use, by name."""
        with self._database.read() as connection:
            return list(connection.execute(sa.select(_note_tags.c.tag).distinct().order_by(_note_tags.c.tag)).scalars())

    def _describe(self, connection: Connection, subject: str, text: str, tags: Collection[str], by: str) -> None:
        now = self._database.now(connection)
        connection.execute(_notes.delete().where(_notes.c.subject == subject))
        connection.execute(_note_tags.delete().where(_note_tags.c.subject == subject))
        connection.execute(_notes.insert().values(subject=subject, text=text, changed_by=by, changed_at=now))
        if tags:
            connection.execute(_note_tags.insert(), [{"subject": subject, "tag": tag} for tag in tags])


def mentioned(words: str) -> sa.Select[tuple[str]]:
    """The subjects whose note holds these words, or that have a tag with them."""
    texts = sa.select(_notes.c.subject).where(_notes.c.text.icontains(words, autoescape=True))
    tagged = sa.select(_note_tags.c.subject).where(_note_tags.c.tag.icontains(words, autoescape=True))
    either = texts.union(tagged).subquery()
    return sa.select(either.c.subject)


def _read(connection: Connection, subjects: Collection[str]) -> dict[str, Note]:
    texts = sa.select(_notes.c.subject, _notes.c.text).where(_notes.c.subject.in_(subjects))
    tagged = (
        sa.select(_note_tags.c.subject, _note_tags.c.tag)
        .where(_note_tags.c.subject.in_(subjects))
        .order_by(_note_tags.c.tag)
    )
    found: dict[str, tuple[str, ...]] = {}
    for subject, tag in connection.execute(tagged):
        found[subject] = (*found.get(subject, ()), tag)
    return {subject: Note(text, found.get(subject, ())) for subject, text in connection.execute(texts)}


def _checked_name(name: str) -> str:
    clean = normalise_spaces(name)
    if not clean or len(clean) > MAX_NAME or not clean.isprintable():
        raise SpecRefusedError(f"{name!r} is not a name: give one of 1 to {MAX_NAME} characters.")
    return clean


def _checked_text(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise SpecRefusedError(f"The note has {len(text):,} characters: shorten it to {MAX_TEXT:,}.")
    return text.strip()


def _checked_tags(tags: Collection[str]) -> list[str]:
    chosen = sorted({clean_tag(tag) for tag in tags})
    if len(chosen) > MAX_TAGS:
        raise SpecRefusedError(f"{len(chosen)} tags were given: keep {MAX_TAGS} at most.")
    return chosen


def _kind_of(connection: Connection, subject: str) -> str:
    """What it is: a dataset, a run or a campaign."""
    for kind, table in _NAMED.items():
        there = sa.select(table.c.id).where(table.c.id == subject, table.c.deleted_at.is_(None))
        if connection.execute(there.with_for_update()).first() is not None:
            return kind
    raise NotFoundError(f"There is no data set, run or campaign {subject}: it may have been deleted.")


def _rename(connection: Connection, subject: str, name: str) -> str:
    """Returns what it is, as ``_kind_of``."""
    if find_dataset(connection, subject) is not None:
        rename_dataset(connection, subject, name)  # first: it holds all data sets in their order
    kind = _kind_of(connection, subject)
    if kind != "dataset":
        table = _NAMED[kind]
        connection.execute(table.update().where(table.c.id == subject).values(name=name))
    return kind
