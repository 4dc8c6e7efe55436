"""One engine, two kinds of transaction (read and write), and errors that people can act on.

SQLite runs in WAL mode: readers never wait, writers queue (in this process on a lock, across processes on SQLite's busy
time-out). Write transactions begin IMMEDIATE, so that what they read cannot change before they write.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from slim_core.errors import SlimError, is_full_disk

BUSY_TIMEOUT_S = 15.0
PING_AFTER_S = 2.0  # a connection that was in use since then is not asked whether its server is still there
# For libpq, where packets are lost without a word: Linux alone gives a connection up after 15 minutes, or 2 hours where
# it only waits for an answer. All of it is over before a lease is; a unix socket has no packets to lose.
PATIENCE = {
    "connect_timeout": 10,  # seconds; for each address of the server
    "tcp_user_timeout": 15_000,  # milliseconds that what was sent may stay without a receipt
    "keepalives_idle": 10,  # seconds of silence before the server's machine is asked whether it is there
    "keepalives_interval": 5,  # seconds between two such questions
    "keepalives_count": 2,
}
_MOST_IN_ONE_CLAUSE = 500
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # no l, o, 0, 1: ids are read aloud


class StoreUnavailableError(SlimError):
    """The database or the artifacts cannot be read or written now."""


class DatabaseAwayError(StoreUnavailableError):
    """The server of the database does not answer now, or has ended the connection: it may be back in a moment."""


def new_id(prefix: str) -> str:
    """A short random id such as ``r-x7k2m9qa4t`` (50 bits)."""
    return f"{prefix}-" + "".join(secrets.choice(_LETTERS) for _ in range(10))


def json_safe(value: Any) -> Any:
    """The value as JSON can hold it: NaN and infinities become None, numpy scalars Python numbers."""
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (str, int, bool)) or value is None:
        return value
    if hasattr(value, "tolist"):
        return json_safe(value.tolist())
    return str(value)


def in_chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """The values, each once and sorted, in lists that one IN clause holds."""
    wanted = sorted(set(values))
    for start in range(0, len(wanted), _MOST_IN_ONE_CLAUSE):
        yield wanted[start : start + _MOST_IN_ONE_CLAUSE]


def insert_new(connection: Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that leaves rows alone which are there already."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def insert_or_replace(connection: Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert of rows that take the place of those with the same primary key."""
    made = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    others = {column.name: made.excluded[column.name] for column in table.c if not column.primary_key}
    return made.on_conflict_do_update(index_elements=list(table.primary_key), set_=others)


def _dumps(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps(json_safe(value))


def driver_url(url: str) -> sa.URL:
    """The URL with psycopg 3 as the driver of PostgreSQL, whatever spelling was given."""
    parsed = sa.make_url(url)
    if parsed.drivername in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _patience(url: sa.URL) -> dict[str, int]:
    """What the URL leaves open of ``PATIENCE``; nothing for a driver without libpq."""
    if not url.drivername.endswith(("+psycopg", "+psycopg2")):
        return {}
    return {name: value for name, value in PATIENCE.items() if name not in url.query}


class Database:
    """An engine and its transactions. Cheap to make; safe to use from threads and after a fork."""

    def __init__(self, url: str) -> None:
        self.url = driver_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._writer = threading.RLock()
        self._inherited: list[object] = []
        self.engine = self._build()
        _opened.add(self)
        weakref.finalize(self, self.engine.dispose)

    @property
    def redacted_url(self) -> str:
        """The database's address without its password."""
        return self.url.database or "" if self.is_sqlite else self.url.render_as_string(hide_password=True)

    def _build(self) -> Engine:
        pool: dict[str, Any] = {"pool_size": 8, "max_overflow": 64, "json_serializer": _dumps}
        try:
            if self.is_sqlite:
                engine = sa.create_engine(self.url, connect_args={"timeout": BUSY_TIMEOUT_S}, **pool)
            else:
                engine = sa.create_engine(self.url, connect_args=_patience(self.url), **pool)
        except ModuleNotFoundError as error:
            raise StoreUnavailableError(
                f"{error.name} is not installed, which {self.url.drivername} needs: pip install 'psycopg[binary]'."
            ) from error
        if self.is_sqlite:
            sa.event.listen(engine, "connect", _prepare_sqlite)
            sa.event.listen(engine, "begin", _begin_sqlite)
        else:
            sa.event.listen(engine, "checkin", _note_use)
            sa.event.listen(engine, "checkout", partial(_ping_after_a_pause, engine.dialect))
        return engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Nothing is written. SQLite: a consistent view; PostgreSQL: each query by itself, as in READ COMMITTED.

        There a transaction would see no more, and cost two further round trips.
        """
        level = {} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        with self._explained(), self.engine.connect() as connection:
            connection = connection.execution_options(**level)
            with connection.begin():
                yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One moment, however long and in however many queries it is read."""
        level = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._explained(), self.engine.connect() as connection:
            connection = connection.execution_options(**level)
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that is committed at the end, or undone as a whole. Do not nest."""
        with self._explained(), self._one_writer(), self.engine.connect() as connection:
            connection = connection.execution_options(slim_write=True)
            with connection.begin():
                yield connection

    def now(self, connection: Connection) -> datetime:
        """The time by the database's clock where several machines share it, else by this machine's."""
        if self.is_sqlite:
            return datetime.now(UTC)
        moment: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return moment.astimezone(UTC)

    def answers(self) -> bool:
        """Whether it can be read now."""
        try:
            with self.read() as connection:
                connection.execute(sa.select(1))
        except StoreUnavailableError:
            return False
        return True

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()

    def _one_writer(self) -> AbstractContextManager[object]:
        return self._writer if self.is_sqlite else nullcontext()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DataError as error:  # the database answers: it refuses the value, such as a text with a NUL
            raise SlimError(f"The database cannot hold what was given ({_first_line(error)}): correct it.") from error
        except UnicodeEncodeError as error:  # half of a letter, which JSON and a command can carry
            raise SlimError(f"The database cannot hold what was given ({error.reason}): correct it.") from error
        except (DBAPIError, PoolTimeoutError, sqlite3.Error) as error:
            kind = DatabaseAwayError if _is_away(error) else StoreUnavailableError
            raise kind(_sentence(error, self.redacted_url)) from error

    def _after_fork(self) -> None:
        self._inherited.append(self.engine.pool)  # never closed here: SQLite forbids it across a fork
        self._writer = threading.RLock()
        self.engine.dispose(close=False)


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _ping_after_a_pause(dialect: Dialect, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """In place of ``pool_pre_ping``, which asks before each use: of those in use, the first that fails ends all."""
    if time.monotonic() - record.info.get("used_at", math.inf) < PING_AFTER_S:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error  # SQLAlchemy connects anew


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin_sqlite does
    _use_wal(connection)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}").close()


def _use_wal(connection: sqlite3.Connection) -> None:
    """Changing the journal mode of a new file ignores the busy time-out, so the patience is ours."""
    patience_ends = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            return connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > patience_ends:
                raise
        time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("slim_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


_opened: weakref.WeakSet[Database] = weakref.WeakSet()


def _forget_connections() -> None:
    for database in list(_opened):
        database._after_fork()


os.register_at_fork(after_in_child=_forget_connections)

_SENTENCES = (
    ("locked", "{where} is locked by another process: try again, or end that process."),
    ("is full", "The disk of {where} is full: free some space, nothing was changed."),
    ("no space left", "The disk of {where} is full: free some space, nothing was changed."),
    ("i/o error", "{where} cannot be read or written: check the space and health of its disk, then try again."),
    ("readonly", "{where} cannot be written: make the file and its folder writable, or set SLIM_HOME to one that is."),
    ("read-only", "{where} cannot be written: make it writable, or set SLIM_DATABASE_URL to one that is."),
    ("unable to open", "{where} cannot be opened: set SLIM_HOME to a folder that exists and can be written."),
    ("not a database", "{where} is not a database: move the file away, or set SLIM_HOME to another folder."),
    ("malformed", "{where} is damaged: restore it from a backup, or set SLIM_HOME to another folder."),
    ("password authentication", "{where} refuses the user or password: correct SLIM_DATABASE_URL."),
    ("does not exist", "{where} does not exist or lacks its tables: correct SLIM_DATABASE_URL, or start SLIM again."),
)


def _is_away(error: Exception) -> bool:
    """By PostgreSQL's codes: none where no server has answered; 08: of the connection; 57: of an operator."""
    code = getattr(error.orig, "sqlstate", "") if isinstance(error, OperationalError) else ""
    return code is None or code[:2] in ("08", "57")


def _sentence(error: Exception, shown: str) -> str:
    cause = _cause(error)
    where = f"The database {shown}"
    for sign, sentence in _SENTENCES:
        if sign in cause.lower():
            return sentence.format(where=where).replace("The disk of The", "The disk of the")
    return f"{where} does not answer ({_first_line(error)}): start it, or correct SLIM_DATABASE_URL."


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip()


def _first_line(error: Exception) -> str:
    return (_cause(error).splitlines() or [type(error).__name__])[0]


def disk_error(error: OSError) -> StoreUnavailableError:
    """What is said of a file that could not be read or written, where nothing better is known."""
    name, reason = error.filename or "A file", error.strerror or error
    return StoreUnavailableError(f"{name} cannot be read or written ({reason}): check its disk, then try again.")


def make_folder(folder: Path) -> Path:
    """The folder, made if it was missing.

    Raises:
        StoreUnavailableError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remedy = "free some space there" if is_full_disk(error) else "set SLIM_HOME to a folder that can be written"
        raise StoreUnavailableError(f"The folder {folder} cannot be made ({error.strerror}): {remedy}.") from error
    if not os.access(folder, os.W_OK):
        raise StoreUnavailableError(f"The folder {folder} cannot be written: set SLIM_HOME to one that can.")
    return folder
