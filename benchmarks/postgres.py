"""PostgreSQL for the benchmarks: a server of their own, or a database of one that is there."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from benchmarks.processes import free_port
from slim_core.store.database import driver_url

FAST, IMMEDIATE = "fast", "immediate"  # ways to stop: connections are ended; as by kill -9, but all of it


def programs() -> Path | None:
    """The folder of the server's programs; None where there is no server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Cluster:
    """A server in a folder of its own, with the block; it runs as postgres where this process is root."""

    def __init__(self, user: str = "postgres", password: str = "", port: int = 0, database: str = "") -> None:
        """With a password it listens on a port of 127.0.0.1 (0: a free one), else only on a socket in its folder.

        ``database``: made when it is first started, and kept as long as the server.
        """
        self.user, self.password = user, password
        self.port = port or free_port()
        self._database = database
        self.folder = Path(tempfile.mkdtemp(prefix="slim-pg-", dir="/tmp"))  # a socket's path must be short
        self._programs = programs() or Path()
        self._as = {"user": "postgres"} if os.geteuid() == 0 else {}  # the server refuses to run as root

    def __enter__(self) -> Self:
        self._init()
        self.start()
        if self._database:
            run_alone(self.url(), f"CREATE DATABASE {self._database}")
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            self.stop(IMMEDIATE)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Of the server, whose children serve the connections; 0 while it is stopped."""
        try:
            return int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return 0

    def url(self, database: str = "postgres") -> str:
        """Of a database of it."""
        if self.password:
            return f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"
        return f"postgresql://{self.user}@/{database}?host={self.folder}&port={self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        listen = "127.0.0.1" if self.password else ""
        options = f"-k {self.folder} -p {self.port} -c listen_addresses='{listen}'"
        self._run("pg_ctl", "--log", str(self.folder / "log"), "--wait", "start", "--options", options)

    def stop(self, mode: str = FAST) -> None:
        """Stop it, and with it every connection; where it has stopped before, nothing happens."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "--mode", mode, "--wait", "stop")

    def _init(self) -> None:
        given = self.folder / "password"
        given.write_text(self.password or "none")
        if self._as:
            for path in (self.folder, given):
                shutil.chown(path, "postgres")
        how = ["--auth", "scram-sha-256", "--pwfile", str(given)] if self.password else ["--auth", "trust"]
        self._run("initdb", *how, "--username", self.user, "--encoding", "UTF8", "--no-sync")
        given.unlink()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "--pgdata", str(self.folder / "data"), *arguments]
        environment = {**os.environ, "HOME": str(self.folder)}
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, env=environment, start_new_session=True,
            **self._as,
        )  # fmt: skip


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """URL of a new database of SLIM_TEST_POSTGRES_URL, or of a server made for the purpose."""
    given = os.environ.get("SLIM_TEST_POSTGRES_URL")
    with contextlib.ExitStack() as stack:
        url = given or stack.enter_context(Cluster()).url()
        yield stack.enter_context(new_database(url, f"slim_bench_{secrets.token_hex(6)}"))


@contextlib.contextmanager
def new_database(url: str, name: str) -> Iterator[str]:
    """URL of an empty database of that server, which goes with the block."""
    run_alone(url, f"CREATE DATABASE {name}")
    try:
        yield driver_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        run_alone(url, f"DROP DATABASE {name} WITH (FORCE)")


def run_alone(url: str, statement: str) -> None:
    """A statement that no transaction may hold, on a connection of its own."""
    engine = sa.create_engine(driver_url(url), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
