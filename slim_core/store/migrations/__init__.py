"""How a database gets to the newest schema, however many processes open it at once."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from slim_core.store.database import Database, StoreUnavailableError
from slim_core.store.schema import HEAD
from slim_core.store.spare import keep_spare

_ADVISORY_LOCK = 0x511A  # any number, the same in every process


def migrate(database: Database, to: str = HEAD) -> None:
    """Bring the database to HEAD; does nothing, and imports nothing, where it is there already.

    ``to`` stops at an older schema, which only serves to see that the way from there works.

    Raises:
        StoreUnavailableError: a newer version of SLIM Studio wrote it, or it cannot be written.
    """
    if version(database) == to:
        return
    with _alone(database):
        if version(database) != to:
            _upgrade(database, to)
            keep_spare(database)


def version(database: Database) -> str | None:
    """The migration the database is at; None for an empty one."""
    with database.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return found


def _upgrade(database: Database, to: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, to)
        except CommandError as error:
            raise StoreUnavailableError(
                f"The database {database.redacted_url} was written by another version of SLIM Studio ({error}): "
                f"use that version, or set SLIM_HOME to another folder."
            ) from error


@contextlib.contextmanager
def _alone(database: Database) -> Iterator[None]:
    """One process at a time: a file lock beside a SQLite file, an advisory lock in PostgreSQL."""
    if not database.is_sqlite:
        with database.write() as connection:  # a transaction, with which the lock ends
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            yield
        return
    with open(f"{database.url.database}.migrate", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
