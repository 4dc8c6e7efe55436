"""A network that loses every packet between a process and its PostgreSQL: noticed in seconds, and not by waiting."""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest
import sqlalchemy as sa

from slim_core.settings import Settings
from slim_core.store import database
from slim_core.store.database import Database, DatabaseAwayError
from tests.slim_core.store.conftest import MISSING
from tests.slim_core.store.conftest import database as new_database

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux drops the packets of one socket")
ATTACH_FILTER, DETACH_FILTER = 26, 27  # of sockets on Linux; the module has no names for them
SHORT = {
    "connect_timeout": 2,
    "tcp_user_timeout": 1000,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 1,
}
AT_MOST_S = 60.0  # what takes 3 s; without the settings it would be 130 s and more


def drop_packets(of: socket.socket) -> None:
    """From now on the kernel throws away what arrives there, and acknowledges nothing: no reset, no refusal."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # one instruction: return 0 bytes
    of.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))


class Line:
    """A port of 127.0.0.1 from which all is passed on to a server, until the line is cut."""

    def __init__(self, server: sa.URL) -> None:
        self._server, self._ends, self._passing = server, list[socket.socket](), list[threading.Thread]()
        self._port = socket.create_server(("127.0.0.1", 0))
        here = server.set(host="127.0.0.1", port=self._port.getsockname()[1], query={})
        self.url = here.render_as_string(hide_password=False)
        self._accepts = threading.Thread(target=self._accept, daemon=True)
        self._accepts.start()

    def cut(self) -> None:
        """Lose what arrives, of the connections that there are and of new ones."""
        for end in (self._port, *self._ends):
            drop_packets(end)

    def join(self) -> None:
        """Accept new connections again."""
        self._port.setsockopt(socket.SOL_SOCKET, DETACH_FILTER, 0)

    def close(self) -> None:
        """End all connections, so that nobody waits any longer."""
        self._port.shutdown(socket.SHUT_RDWR)
        self._accepts.join()
        self._port.close()
        for end in self._ends:
            with suppress(OSError):  # it is closed already
                end.shutdown(socket.SHUT_RDWR)
        for each in self._passing:
            each.join()

    def _accept(self) -> None:
        with suppress(OSError):  # the port is shut
            while True:
                near, far = self._port.accept()[0], self._reach()
                self._ends += [near, far]
                self._passing.append(threading.Thread(target=_pass_on, args=(near, far), daemon=True))
                self._passing[-1].start()

    def _reach(self) -> socket.socket:
        host, port = str(self._server.query.get("host", self._server.host)), self._server.port or 5432
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        far = socket.socket(socket.AF_UNIX)
        far.connect(f"{host}/.s.PGSQL.{port}")
        return far


def _pass_on(near: socket.socket, far: socket.socket) -> None:
    """What either says, to the other, until one has ended."""
    with near, far, suppress(OSError):
        while True:
            for one in select.select([near, far], [], [])[0]:
                some = one.recv(65536)
                if not some:
                    return
                (far if one is near else near).sendall(some)


@contextmanager
def beside(line: Line) -> Iterator[Callable[..., Future[Any]]]:
    """Does something in a thread, which ends with the line at the latest."""
    with ThreadPoolExecutor(1) as pool, closing(line):
        yield pool.submit


def ask(opened: Database, query: str) -> None:
    with opened.read() as connection:
        connection.execute(sa.text(query))


def sleeps(server: sa.Engine, name: str | None) -> bool:
    """Whether a query of this database waits in pg_sleep."""
    query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND wait_event = 'PgSleep'")
    with server.connect() as connection:
        return bool(connection.execute(query, {"name": name}).scalar())


@ON_LINUX
@MISSING
@pytest.mark.slow
@pytest.mark.parametrize("when", ["before it is asked", "while it answers"])
def test_a_query_ends_soon_after_the_network_is_cut_and_the_next_one_works_once_it_is_back(
    server: sa.Engine, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", SHORT)
    with new_database(server) as url:
        line = Line(sa.make_url(url))
        with beside(line) as do, closing(Database(line.url)) as opened:
            ask(opened, "SELECT 1")
            if when == "before it is asked":
                line.cut()
                waiting = do(ask, opened, "SELECT 1")
            else:
                waiting = do(ask, opened, "SELECT pg_sleep(600)")
                while not sleeps(server, sa.make_url(url).database):
                    time.sleep(0.02)
                line.cut()
            with pytest.raises(DatabaseAwayError):
                waiting.result(AT_MOST_S)
            line.join()
            assert do(opened.answers).result(AT_MOST_S)


@ON_LINUX
@pytest.mark.slow
@pytest.mark.parametrize("is_cut", [True, False], ids=["no packet comes through", "the server says nothing"])
def test_a_server_that_is_not_reached_is_given_up_after_seconds(is_cut: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setattr(database, "PATIENCE", SHORT)
    with ThreadPoolExecutor(1) as pool, socket.create_server(("127.0.0.1", 0)) as port:
        if is_cut:
            drop_packets(port)
        opened = Database(f"postgresql://nobody@127.0.0.1:{port.getsockname()[1]}/nothing")
        with pytest.raises(DatabaseAwayError):
            pool.submit(ask, opened, "SELECT 1").result(AT_MOST_S)


def options_of(url: str) -> dict[str, Any]:
    """The time-outs that the driver is given to connect with."""
    given: dict[str, Any] = {}

    def note(_dialect: object, _record: object, _address: object, options: dict[str, Any]) -> None:
        given.update(options)
        raise ConnectionError

    opened = Database(url)
    sa.event.listen(opened.engine, "do_connect", note)
    with pytest.raises(ConnectionError), opened.engine.connect():
        pass
    return {name: given[name] for name in given if name in database.PATIENCE}


def test_what_the_url_says_of_time_outs_counts() -> None:
    pytest.importorskip("psycopg")
    named = "postgresql://db/slim?connect_timeout=60&keepalives_idle=120"
    assert options_of(named) == {**database.PATIENCE, "connect_timeout": "60", "keepalives_idle": "120"}
    assert options_of("postgresql://db/slim") == database.PATIENCE


def test_a_cut_network_is_noticed_before_a_lease_is_over() -> None:
    kept, lease_s = database.PATIENCE, Settings.model_fields["lease_s"].default
    assert kept["tcp_user_timeout"] / 1000 + kept["connect_timeout"] < lease_s
    assert kept["keepalives_idle"] + kept["keepalives_interval"] * kept["keepalives_count"] < lease_s
