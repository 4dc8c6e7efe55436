"""Names, notes and tags of runs and campaigns, which people change as they like. A subset is its curate run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store import schema
from slim_core.store.database import Database
from slim_core.store.events import Events
from slim_core.store.tags import clean_tag

MAX_NAME, MAX_TEXT, MAX_TAGS = 200, 10_000, 20
_t, _tags = schema.notes, schema.note_tags
_NAMED = {"run": schema.runs, "campaign": schema.campaigns}


@dataclass(frozen=True)
class Note:
    """``tags``: by name."""

    text: str = ""
    tags: tuple[str, ...] = ()


class Notes:
    """What is written of every run and campaign."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database, self._events = database, events

    def write(self, subject: str, *, name: str, text: str, tags: Collection[str], by: str = "local") -> None:
        """Name a run or campaign, by its id, and replace its note and tags.

        Raises:
            NotFoundError: there is no such run or campaign.
            SpecRefusedError: the name is empty or too long, the note too long, a tag is none, or there are too many.
        """
        name, text, chosen = _checked(name, text, tags)
        with self._database.write() as connection:
            kind = _rename(connection, subject, name)
            now = self._database.now(connection)
            connection.execute(_t.delete().where(_t.c.subject == subject))
            connection.execute(_tags.delete().where(_tags.c.subject == subject))
            connection.execute(_t.insert().values(subject=subject, text=text, changed_by=by, changed_at=now))
            if chosen:
                connection.execute(_tags.insert(), [{"subject": subject, "tag": tag} for tag in chosen])
            self._events.note(connection, by, f"{kind}.described", subject, {"name": name, "tags": chosen})

    def fetch(self, subject: str) -> Note:
        """What is written of a run or campaign; empty where nothing is."""
        return self.some([subject]).get(subject, Note())

    def some(self, subjects: Iterable[str]) -> dict[str, Note]:
        """Id -> what is written of it; those without are left out."""
        wanted = list(subjects)
        texts = sa.select(_t.c.subject, _t.c.text).where(_t.c.subject.in_(wanted))
        tagged = sa.select(_tags.c.subject, _tags.c.tag).where(_tags.c.subject.in_(wanted)).order_by(_tags.c.tag)
        found: dict[str, tuple[str, ...]] = {}
        with self._database.read() as connection:
            for subject, tag in connection.execute(tagged):
                found[subject] = (*found.get(subject, ()), tag)
            return {subject: Note(text, found.get(subject, ())) for subject, text in connection.execute(texts)}

    def tags(self) -> list[str]:
        """Every tag in use, by name."""
        with self._database.read() as connection:
            return list(connection.execute(sa.select(_tags.c.tag).distinct().order_by(_tags.c.tag)).scalars())


def mentioned(words: str) -> sa.Select[tuple[str]]:
    """The subjects whose note holds these words, or that have a tag with them."""
    texts = sa.select(_t.c.subject).where(_t.c.text.icontains(words, autoescape=True))
    tagged = sa.select(_tags.c.subject).where(_tags.c.tag.icontains(words, autoescape=True))
    either = texts.union(tagged).subquery()
    return sa.select(either.c.subject)


def _checked(name: str, text: str, tags: Collection[str]) -> tuple[str, str, list[str]]:
    clean = " ".join(name.split())
    if not clean or len(clean) > MAX_NAME or not clean.isprintable():
        raise SpecRefusedError(f"{name!r} is not a name: give one of 1 to {MAX_NAME} letters.")
    if len(text) > MAX_TEXT:
        raise SpecRefusedError(f"The note has {len(text):,} letters: shorten it to {MAX_TEXT:,}.")
    chosen = sorted({clean_tag(tag) for tag in tags})
    if len(chosen) > MAX_TAGS:
        raise SpecRefusedError(f"{len(chosen)} tags were given: keep {MAX_TAGS} at most.")
    return clean, text.strip(), chosen


def _rename(connection: Connection, subject: str, name: str) -> str:
    """Returns what it is: a run or a campaign."""
    for kind, table in _NAMED.items():
        there = sa.and_(table.c.id == subject, *([table.c.deleted_at.is_(None)] if kind == "run" else []))
        if connection.execute(table.update().where(there).values(name=name)).rowcount:
            return kind
    raise NotFoundError(f"There is no run or campaign {subject}: it may have been deleted.")
