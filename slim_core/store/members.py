"""Who may do what: roles by e-mail. Each role may do what the ones before it may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import ConflictError, ForbiddenError, NotFoundError, SpecRefusedError
from slim_core.store import schema
from slim_core.store.database import Database, insert_new
from slim_core.store.events import Events

Role = Literal["viewer", "annotator", "lead", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
_NAMED = 5  # members in a sentence
_t = schema.members


def role_named(text: str) -> Role:
    """The role of this name.

    Raises:
        SpecRefusedError: no role has this name.
    """
    for role in ROLES:
        if text == role:
            return role
    raise SpecRefusedError(f"There is no role {text!r}: choose one of {', '.join(ROLES)}.")


def is_email(text: str) -> bool:
    """Whether a text has the form of one e-mail; two in a row have not."""
    name, _, host = text.rpartition("@")
    return bool(name and host) and len(text) <= 200 and text.isprintable() and not set(text) & set(" ,;")


@dataclass(frozen=True)
class Member:
    """One person."""

    email: str  # lower case
    role: Role
    added_by: str
    added_at: datetime


class Members:
    """The people of this installation."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database, self._events = database, events

    def all(self) -> list[Member]:
        """Everybody, by e-mail."""
        with self._database.read() as connection:
            return [Member(**row) for row in connection.execute(sa.select(_t).order_by(_t.c.email)).mappings()]

    def role(self, email: str) -> Role | None:
        """The role of a person; None for one who is not a member."""
        with self._database.read() as connection:
            return _role(connection, email)

    def set_role(self, email: str, role: Role, by: str = "local") -> None:
        """Add a person, or change what they may do.

        Raises:
            SpecRefusedError: the role or the e-mail is not one.
            ConflictError: nobody would be admin any more.
        """
        email, role = email.strip().lower(), role_named(role)
        if not is_email(email):
            raise SpecRefusedError(f"{email!r} is not an e-mail: give the one this person signs in with.")
        with self._database.write() as connection:
            before = _held(connection, email, role)
            if before is None:
                now = self._database.now(connection)
                new = insert_new(connection, _t).values(email=email, role=role, added_by=by, added_at=now)
                connection.execute(new)  # where another admin has added them a moment ago, this one's word counts
            connection.execute(_t.update().where(_t.c.email == email).values(role=role))
            self._events.note(connection, by, "member.role", email[:80], {"before": before, "role": role})

    def remove(self, email: str, by: str = "local") -> None:
        """Take a person out. Their answers stay.

        Raises:
            NotFoundError: there is no such member.
            ConflictError: nobody would be admin any more.
        """
        email = email.strip().lower()
        with self._database.write() as connection:
            before = _held(connection, email, None)
            if before is None:
                raise NotFoundError(f"{email} is not a member: {self._who(connection)}.")
            connection.execute(_t.delete().where(_t.c.email == email))
            self._events.note(connection, by, "member.removed", email[:80], {"role": before})

    def _who(self, connection: Connection) -> str:
        """The first few members; the command lists them all."""
        known = connection.execute(sa.select(_t.c.email).order_by(_t.c.email)).scalars().all()
        more = f" and {len(known) - _NAMED} more (slim members)" if len(known) > _NAMED else ""
        return f"choose one of {', '.join(known[:_NAMED])}{more}" if known else "there are no members yet"


def require_role(connection: Connection, email: str, role: Role) -> Role:
    """The role of a person, if it allows what ``role`` allows.

    Raises:
        ForbiddenError: they are no member, or have a lower role.
    """
    held = _role(connection, email)
    if held is None or ROLES.index(held) < ROLES.index(role):
        raise ForbiddenError(f"{email} is {held or 'not a member'}, this needs {role}: ask an admin.")
    return held


def _held(connection: Connection, email: str, after: Role | None) -> Role | None:
    """The role of a person who gets another one, and the admins with it: none of them changes until this has.

    Raises:
        ConflictError: nobody would be admin any more.
    """
    these = (_t.c.email == email) | (_t.c.role == "admin")
    query = sa.select(_t.c.email, _t.c.role).where(these).order_by(_t.c.email).with_for_update()
    held: dict[str, Role] = {row.email: row.role for row in connection.execute(query)}
    before = held.get(email)
    if before == "admin" and after != "admin" and list(held.values()).count("admin") < 2:
        raise ConflictError("There must be an admin: make somebody else admin first.")
    return before


def _role(connection: Connection, email: str) -> Role | None:
    query = sa.select(_t.c.role).where(_t.c.email == email.strip().lower())
    found: Role | None = connection.execute(query).scalar()
    return found
