"""A store on SQLite, and on PostgreSQL too where SLIM_TEST_POSTGRES_URL names a server that may make databases.

On PostgreSQL one database serves all tests of a process and is emptied before each; tests of migrations have their own.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import sqlalchemy as sa

from slim_core.settings import Settings
from slim_core.store import Dataset, Run, Store, schema
from slim_core.store.database import driver_url
from tests.slim_core.store.store_makers import Worked, image_table, imported

POSTGRES = os.environ.get("SLIM_TEST_POSTGRES_URL")
MISSING = pytest.mark.skipif(not POSTGRES and "CI" not in os.environ, reason="no PostgreSQL")
DATABASES = ["sqlite", pytest.param("postgresql", marks=[MISSING, pytest.mark.slow])]  # twice the time of SQLite


@pytest.fixture(scope="session")
def server() -> Iterator[sa.Engine | None]:
    """The PostgreSQL server the tests may make databases on, if there is one."""
    if not POSTGRES:
        yield None
        return
    engine = sa.create_engine(driver_url(POSTGRES), isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@contextmanager
def database(server: sa.Engine | None) -> Iterator[str]:
    """URL of a new database, which is dropped afterwards."""
    assert server, "SLIM_TEST_POSTGRES_URL names no PostgreSQL server, which CI must have"
    name = f"slim_test_{secrets.token_hex(6)}"
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield server.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=DATABASES)
def settings(request, server: sa.Engine | None, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an empty home with an empty database of its own."""
    with database(server) if request.param == "postgresql" else nullcontext() as url:
        yield Settings(home=tmp_path / "home", database_url=url, artifacts_url=None)


@pytest.fixture(scope="session", params=DATABASES)
def migrated(request, server: sa.Engine | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a database with all tables: a SQLite file to be copied, a PostgreSQL database to be emptied."""
    with database(server) if request.param == "postgresql" else nullcontext() as url:
        template = Settings(home=tmp_path_factory.mktemp("migrated"), database_url=url, artifacts_url=None)
        Store.open(template).close()
        yield template


@pytest.fixture(scope="session")
def shared(migrated: Settings) -> Iterator[sa.Engine | None]:
    """The PostgreSQL database that the tests of this process share; None where the tests are those on SQLite."""
    if migrated.database_url is None:
        yield None
        return
    engine = sa.create_engine(driver_url(migrated.database_url))
    yield engine
    engine.dispose()


@pytest.fixture
def store(migrated: Settings, shared: sa.Engine | None, tmp_path: Path) -> Iterator[Store]:
    """An open store with nothing in it."""
    home = tmp_path / "home"
    home.mkdir()
    if shared is None:
        shutil.copy(migrated.home / "slim.db", home)
    else:
        empty(shared)
    opened = Store.open(migrated.model_copy(update={"home": home}))  # the environment is not read again for each test
    yield opened
    opened.close()


def empty(engine: sa.Engine) -> None:
    """End what an earlier test has left connected, remove all rows, and count from 1 again: 10 ms, a TRUNCATE 80."""
    tables = list(reversed(schema.metadata.sorted_tables))
    counted = [(table.name, column.name) for table in tables for column in table.c if column.autoincrement is True]
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    statements = [f"{others} AND pid <> pg_backend_pid()", *(f"DELETE FROM {table.name}" for table in tables)]
    statements += [f"SELECT setval(pg_get_serial_sequence('{name}', '{column}'), 1, false)" for name, column in counted]
    with engine.begin() as connection:
        connection.execute(sa.text("; ".join(statements)))


@pytest.fixture
def dataset(store: Store, tmp_path: Path) -> Dataset:
    """A registered data set of 50 images."""
    return store.datasets.register(imported(image_table(tmp_path / "images")))


@pytest.fixture
def finish(store: Store) -> Callable[..., Worked]:
    """Executes a queued run as a worker would: claims it, writes a file, publishes, finishes."""

    def work(run: Run, metrics: dict | None = None) -> Worked:
        token = store.attempts.claim(run.id, "worker-1", "cpu")
        attempt = store.runs.fetch(run.id).attempt
        (store.artifacts.attempt(run.id, attempt) / "out.txt").write_text("made")
        folder = store.artifacts.publish(run.id, attempt)
        store.attempts.finish(run.id, token, metrics or {"wga": 0.5})
        return Worked(store.runs.fetch(run.id), folder)

    return work
