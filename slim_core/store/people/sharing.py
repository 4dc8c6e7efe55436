"""Who may see a data set or a campaign: everybody, or its owner, admins and whom it is shared with.

A campaign is shared with the people it names to answer it (``Campaigns.set_members``), and with no one else.

The switch is here; what it does to every read and write is in visibility.py.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import ForbiddenError, NotFoundError, SpecRefusedError
from slim_core.store import schema
from slim_core.store.database import Database
from slim_core.store.events import Events
from slim_core.store.people.members import is_email
from slim_core.store.people.shares import invited, share, shared_with
from slim_core.store.people.visibility import SHARED_ROLES

MOST = 200  # people and roles that one is shared with
_members = schema.members
_KINDS = {"dataset": schema.datasets, "campaign": schema.campaigns}


@dataclass(frozen=True)
class Privacy:
    """Who may see a data set or a campaign."""

    owner: str  # who registered or opened it
    private: bool
    shared_with: tuple[str, ...] = ()  # e-mails and roles, by name; they count while it is private


class Sharing:
    """The privacy of every data set and campaign."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database, self._events = database, events

    def of(self, subject: str) -> Privacy:
        """The privacy of a data set or a campaign, by its id.

        Raises:
            NotFoundError: there is no such data set or campaign.
        """
        with self._database.read() as connection:
            return _read(connection, subject)[1]

    def may_change(self, subject: str) -> bool:
        """Whether the reader of this store may change it: its owner and admins may."""
        with self._database.read() as connection:
            return _may_change(connection, _read(connection, subject)[1], self._database.reader)

    def set(
        self, subject: str, *, private: bool, shared_with: Collection[str] | None = None, by: str = "local"
    ) -> Privacy:
        """Make a data set or a campaign private, or visible to all who may read.

        Args:
            subject: its id.
            private: whether others than its owner, admins and those below are not shown it.
            shared_with: e-mails, and roles of SHARED_ROLES, which stand for the higher ones too. None: as before.
            by: who does it.

        Raises:
            NotFoundError: there is no such data set or campaign.
            ForbiddenError: the reader of this store is neither its owner nor an admin.
            SpecRefusedError: there are too many, or one is neither an e-mail nor such a role; or it is a campaign.
        """
        with self._database.write() as connection:
            kind, before = _read(connection, subject, lock=True)
            if not _may_change(connection, before, self._database.reader):
                raise ForbiddenError(f"Only {before.owner} and admins say who sees {subject}: ask one of them.")
            if kind == "campaign" and shared_with is not None:
                raise SpecRefusedError("A campaign is private to its annotators: name those who may answer it.")
            people = before.shared_with if shared_with is None else _checked(shared_with)
            after = Privacy(before.owner, private, people)
            if after == before:
                return before
            table = _KINDS[kind]
            connection.execute(table.update().where(table.c.id == subject).values(private=private))
            share(connection, subject, people)
            what = f"{kind}.{'private' if private else 'visible'}"
            self._events.note(connection, by, what, subject, {"shared_with": list(people)} if private else {})
        return after


def _read(connection: Connection, subject: str, *, lock: bool = False) -> tuple[str, Privacy]:
    """("dataset" or "campaign", its privacy)."""
    for kind, table in _KINDS.items():
        query: sa.Select[Any] = sa.select(table)
        query = query.where(table.c.id == subject, table.c.deleted_at.is_(None))
        found = connection.execute(query.with_for_update() if lock else query).first()
        if found is not None:
            people = shared_with(connection, subject) if kind == "dataset" else invited(found.options)
            return kind, Privacy(found.created_by, found.private, people)
    raise NotFoundError(f"There is no data set or campaign {subject}: it may have been removed.")


def _may_change(connection: Connection, privacy: Privacy, reader: str | None) -> bool:
    if reader is None or reader == privacy.owner.lower():
        return True
    return connection.execute(sa.select(_members.c.role).where(_members.c.email == reader)).scalar() == "admin"


def _checked(people: Collection[str]) -> tuple[str, ...]:
    """In lower case, each once, by name."""
    chosen = sorted({each.strip().lower() for each in people if each.strip()})
    strange = [each for each in chosen if each not in SHARED_ROLES and not is_email(each)]
    if strange:
        raise SpecRefusedError(
            f"{strange[0]!r} is neither an e-mail nor one of the roles {', '.join(SHARED_ROLES)}: correct it."
        )
    if len(chosen) > MOST:
        raise SpecRefusedError(f"{len(chosen)} people were named: share it with {MOST} at most, or with a role.")
    return tuple(chosen)
