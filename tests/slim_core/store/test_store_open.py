"""Opening: migrations, several processes at once, and databases that cannot be used."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from benchmarks.small_disk import fill
from slim_core.errors import SlimError
from slim_core.settings import Settings
from slim_core.store import AnswerIn, Store, StoreUnavailableError, schema
from slim_core.store.database import Database, DatabaseAwayError, driver_url, json_safe
from slim_core.store.migrations import version
from tests.slim_core.store.conftest import DATABASES
from tests.slim_core.store.store_makers import image_table, imported, in_processes, train_spec
from tests.small_disk import mounted

ON_POSTGRES = pytest.mark.parametrize("settings", DATABASES[1:], indirect=True)
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def test_the_newest_migration_is_the_one_the_code_expects(store):
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    import slim_core.store.migrations as migrations

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]
    assert version(store.database) == schema.HEAD


def test_the_migrations_make_exactly_the_tables_of_the_schema(store):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with store.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
        assert compare_metadata(context, schema.metadata) == []


@pytest.mark.slow
def test_six_processes_that_open_a_new_home_at_once_all_succeed(settings: Settings):
    def work(k: int) -> None:
        store = Store.open(settings)
        store.events.add(f"process {k}", "opened", "home")
        store.close()

    assert in_processes(6, work) == [None] * 6
    store = Store.open(settings)
    assert len(store.events.recent(100)) == 6
    store.close()


@pytest.mark.slow
def test_opening_a_store_that_is_up_to_date_does_not_import_alembic_or_torch(settings: Settings):
    Store.open(settings).close()
    code = (
        "import sys; from slim_core.store import Store; Store.open(); "
        "assert not {'alembic', 'torch', 'sklearn', 'streamlit', 'redis'} & set(sys.modules)"
    )
    url = settings.database_url
    environment = os.environ | {"SLIM_HOME": str(settings.home)} | ({"SLIM_DATABASE_URL": url} if url else {})
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)


@pytest.mark.parametrize("other", ["0017", "9.9"])
def test_a_database_of_another_schema_is_refused_and_its_answers_are_said_to_be_safe(settings: Settings, other: str):
    Store.open(settings).close()
    with Database(settings.database).write() as connection:
        connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{other}'"))
    with pytest.raises(StoreUnavailableError) as refused:
        Store.open(settings)
    said = str(refused.value)
    assert all(part in said for part in (other, schema.HEAD, "slim answers export", "slim answers import"))


def test_a_home_inside_a_file_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailableError, match="cannot be made .*set SLIM_HOME"):
        Store.open(Settings(home=tmp_path / "file" / "home"))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "slim.db").write_text("these are not the tables you are looking for" * 50)
    with pytest.raises(StoreUnavailableError, match="a database: move"):
        Store.open(Settings(home=tmp_path))


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path):
    pytest.importorskip("psycopg")
    url = "postgresql://slim:secret@127.0.0.1:1/slim"
    with pytest.raises(StoreUnavailableError, match="does not answer") as caught:
        Store.open(Settings(home=tmp_path, database_url=url))
    assert "secret" not in str(caught.value)


def test_a_read_only_database_says_so_and_can_still_be_read(tmp_path: Path):
    Store.open(Settings(home=tmp_path)).close()
    url = f"sqlite:///file:{tmp_path}/slim.db?mode=ro&uri=true"
    store = Store.open(Settings(home=tmp_path, database_url=url))
    assert store.runs.all() == []
    with pytest.raises(StoreUnavailableError, match="cannot be written"):
        store.events.add("me", "tried", "this")
    store.close()


def test_a_database_locked_by_another_process_says_so(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("slim_core.store.database.BUSY_TIMEOUT_S", 0.1)
    store = Store.open(Settings(home=tmp_path))
    other = sqlite3.connect(tmp_path / "slim.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreUnavailableError, match="process: try again"):
            store.events.add("me", "tried", "this")
        assert store.events.recent() == []  # readers never wait
    finally:
        other.rollback()
        other.close()
    store.events.add("me", "tried", "again")
    store.close()


def test_a_full_disk_says_so_and_changes_nothing(tmp_path: Path):
    store = Store.open(Settings(home=tmp_path))
    store.database.close()

    def no_more_pages(connection: sqlite3.Connection, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")

    sa.event.listen(store.database.engine, "connect", no_more_pages)
    with pytest.raises(StoreUnavailableError, match="disk of the database .* is full: free"):
        store.events.add("me", "tried", "this", {"much": "x" * 100_000})
    assert store.events.recent() == []
    store.close()


@pytest.mark.parametrize("is_open", [True, False])
def test_on_a_disk_without_a_byte_it_is_said_what_to_do_and_no_answer_is_lost(tmp_path: Path, is_open: bool):
    with mounted(tmp_path / "small-disk", 24) as disk:
        settings = Settings(home=disk / "home")
        store = Store.open(settings)
        dataset = store.datasets.register(imported(image_table(tmp_path / "images")))
        campaign = store.campaigns.create("pair", dataset.id, None, range(4))
        first, second = store.campaigns.items(campaign.id)[:2]
        store.answers.save(campaign.id, "ann", [AnswerIn("kept", first.id, 1)])
        if not is_open:
            store.close()
        fill(disk / "ballast")
        with pytest.raises(StoreUnavailableError, match="free some space|check the space"):
            store = store if is_open else Store.open(settings)
            for n in range(1_000):  # what the log of SQLite has room for is kept
                store.answers.save(campaign.id, "ann", [AnswerIn(f"more-{n}", second.id, n % 2)])
        (disk / "ballast").unlink()
        assert store.answers.save(campaign.id, "ann", [AnswerIn("again", second.id, 1)]).ids == ["again"]
        assert store.answers.current(campaign.id, "ann") == {first.row: 1, second.row: 1}
        store.close()


def test_a_child_process_goes_on_with_connections_of_its_own(store, dataset):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            store.runs.submit(train_spec(dataset, seed=1), by="child")
            status = 0
        finally:
            os._exit(status)
    store.runs.submit(train_spec(dataset, seed=2), by="parent")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sorted(run.created_by for run in store.runs.all()) == ["child", "parent"]


def test_values_that_json_lacks_are_kept_as_null_or_as_plain_numbers():
    import numpy as np

    value = {
        "nan": float("nan"),
        1: np.float32(0.5),
        "array": np.array([1, 2]),
        "deep": [{"inf": np.inf}],
        "t": (True,),
    }
    assert json_safe(value) == {"nan": None, "1": 0.5, "array": [1, 2], "deep": [{"inf": None}], "t": [True]}


def test_every_spelling_of_a_postgresql_url_names_psycopg():
    spellings = ("postgres://h/d", "postgresql://h/d", "postgresql+psycopg://h/d")
    assert {driver_url(url).drivername for url in spellings} == {"postgresql+psycopg"}


@ON_POSTGRES
def test_a_connection_that_was_not_in_use_for_a_while_is_asked_whether_its_server_is_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, other = Database(settings.database), Database(settings.database)

    def end_all() -> None:
        with other.read() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    with opened.read(), opened.read():  # two connections, which go back to the pool
        pass
    end_all()
    with pytest.raises(DatabaseAwayError), opened.read() as connection:
        connection.execute(sa.select(1))
    assert opened.answers(), "the first that fails takes all the others along"
    end_all()
    monkeypatch.setattr("slim_core.store.database.PING_AFTER_S", 0.0)
    assert opened.answers(), "whoever comes later notices nothing"
    opened.close()
    other.close()


@ON_POSTGRES
def test_a_server_that_is_away_is_told_from_one_that_refuses_a_query(settings: Settings) -> None:
    opened = Database(settings.database)
    with pytest.raises(StoreUnavailableError) as refused, opened.read() as connection:
        connection.execute(sa.text("SELECT * FROM no_such_table"))
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseAwayError), nowhere.read():
        pass
    assert not isinstance(refused.value, DatabaseAwayError)
    opened.close()


@ON_POSTGRES
def test_reading_is_the_query_alone_and_writing_a_transaction(settings: Settings) -> None:
    opened = Database(settings.database)
    with opened.read() as connection:
        connection.execute(sa.select(1))
        assert connection.connection.dbapi_connection.info.transaction_status.name == "IDLE"
    with opened.write() as connection:
        connection.execute(sa.select(1))
        assert connection.connection.dbapi_connection.info.transaction_status.name == "INTRANS"
    opened.close()


def test_a_database_that_nobody_holds_gives_its_connections_back(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'one.db'}")
    with database.engine.connect() as connection:
        driver = connection.connection.driver_connection
    del database, connection
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        driver.execute("SELECT 1")


@ON_POSTGRES
def test_a_value_that_the_database_cannot_hold_is_refused_and_not_called_an_outage(settings: Settings):
    store = Store.open(settings)
    with pytest.raises(SlimError, match="what was given .*NUL.*: correct it") as refused:
        store.runs.find("r-\0")
    assert not isinstance(refused.value, StoreUnavailableError)
    store.close()
