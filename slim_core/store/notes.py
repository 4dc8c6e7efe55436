"""Names, notes and tags of data sets, runs and campaigns, which people may change. A subset is its curate run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store import schema
from slim_core.store.database import Database
from slim_core.store.datasets import find_dataset, normalise_spaces
from slim_core.store.datasets import rename as rename_dataset
from slim_core.store.events import Events
from slim_core.store.tags import clean_tag

MAX_NAME, MAX_TEXT, MAX_TAGS = 200, 10_000, 20
_t, _tags, _events = schema.notes, schema.note_tags, schema.events
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

    def rename(self, subject: str, name: str, by: str = "local") -> None:
        """Name a data set, run or campaign, by its id. Its note and tags stay.

        Raises:
            NotFoundError, SpecRefusedError, ConflictError: as of ``write``.
        """
        name = _checked_name(name)
        with self._database.write() as connection:
            kind = _rename(connection, subject, name)
            self._events.note(connection, by, f"{kind}.renamed", subject, {"name": name})

    def describe(
        self, subject: str, *, text: str | None = None, tags: Collection[str] | None = None, by: str = "local"
    ) -> Note:
        """Replace the note of a data set, run or campaign, or its tags, or both; None leaves what is there.

        Raises:
            NotFoundError, SpecRefusedError: as of ``write``.
        """
        with self._database.write() as connection:
            kind = _kind_of(connection, subject)
            before = _read(connection, [subject]).get(subject, Note())
            text = before.text if text is None else _checked_text(text)
            chosen = list(before.tags) if tags is None else _checked_tags(tags)
            self._describe(connection, subject, text, chosen, by)
            self._events.note(connection, by, f"{kind}.described", subject, {"tags": chosen})
        return Note(text, tuple(chosen))

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
            return list(connection.execute(sa.select(_tags.c.tag).distinct().order_by(_tags.c.tag)).scalars())

    def _describe(self, connection: Connection, subject: str, text: str, tags: Collection[str], by: str) -> None:
        now = self._database.now(connection)
        connection.execute(_t.delete().where(_t.c.subject == subject))
        connection.execute(_tags.delete().where(_tags.c.subject == subject))
        connection.execute(_t.insert().values(subject=subject, text=text, changed_by=by, changed_at=now))
        if tags:
            connection.execute(_tags.insert(), [{"subject": subject, "tag": tag} for tag in tags])


def mentioned(words: str) -> sa.Select[tuple[str]]:
    """The subjects whose note holds these words, or that have a tag with them."""
    texts = sa.select(_t.c.subject).where(_t.c.text.icontains(words, autoescape=True))
    tagged = sa.select(_tags.c.subject).where(_tags.c.tag.icontains(words, autoescape=True))
    either = texts.union(tagged).subquery()
    return sa.select(either.c.subject)


def _read(connection: Connection, subjects: Collection[str]) -> dict[str, Note]:
    texts = sa.select(_t.c.subject, _t.c.text).where(_t.c.subject.in_(subjects))
    tagged = sa.select(_tags.c.subject, _tags.c.tag).where(_tags.c.subject.in_(subjects)).order_by(_tags.c.tag)
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
