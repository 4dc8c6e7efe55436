"""How a database gets to the newest schema, however many processes open it at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from slim_core import locks
from slim_core.store.database import Database, StoreUnavailableError
from slim_core.store.schema import HEAD

_ADVISORY_LOCK = 0x511A  # any number, the same in every process


def migrate(database: Database) -> None:
    """Bring the database to HEAD; does nothing, and imports nothing, where it is there already.

    Raises:
        StoreUnavailableError: it has a schema that this version does not know, or cannot be written.
    """
    if version(database) == HEAD:
        return
    with _alone(database):
        if version(database) != HEAD:
            _upgrade(database)


def version(database: Database) -> str | None:
    """The migration the database is at; None for an empty one."""
    with database.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return found


def of_another_schema(what: str, found: str | None) -> str:
    """What is said of a database or a backup that this version cannot read: the answers in it are not lost."""
    return (
        f"{what} was written by another version of SLIM Studio (schema {found}; this one has {HEAD}): to take its "
        "answers over, run `slim answers export --current` with that version, and `slim answers import` in a new home."
    )


def _upgrade(database: Database) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, HEAD)
        except CommandError as error:
            found = MigrationContext.configure(connection).get_current_revision()
            raise StoreUnavailableError(of_another_schema(f"The database {database.redacted_url}", found)) from error


@contextlib.contextmanager
def _alone(database: Database) -> Iterator[None]:
    """One process at a time: a file lock beside a SQLite file, an advisory lock in PostgreSQL."""
    if not database.is_sqlite:
        with database.write() as connection:  # a transaction, with which the lock ends
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            yield
        return
    with open(f"{database.url.database}.migrate", "w") as lock:
        with contextlib.suppress(OSError):  # a disk or a system without locks
            locks.take(lock.fileno(), waits=True)
        yield
