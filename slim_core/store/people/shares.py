"""Whom private data sets and campaigns are shared with, as rows inside a transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.people.members import is_email

_t = schema.shares


def share(connection: Connection, subject: str, people: Collection[str]) -> None:
    """Replace whom a data set or a campaign is shared with."""
    connection.execute(_t.delete().where(_t.c.subject == subject))
    if people:
        connection.execute(_t.insert(), [{"subject": subject, "person": person} for person in people])


def shared_with(connection: Connection, subject: str) -> tuple[str, ...]:
    """Whom a data set or a campaign is shared with, by name."""
    query = sa.select(_t.c.person).where(_t.c.subject == subject).order_by(_t.c.person)
    return tuple(connection.execute(query).scalars())


def invited(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Whom a campaign of these options is shared with while it is private: its members who sign in, by e-mail."""
    names = {str(one).strip().lower() for one in options.get("members") or ()}
    return tuple(sorted(filter(is_email, names)))
