"""Everything a laptop needs beside the dashboard: a Redis of its own and workers, started and ended with it.

The dashboard starts one child, the worker service (``python -m workers --embedded``), which starts Redis and the worker
processes and keeps them alive. All of them end with the dashboard, also when it is killed with -9.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

from slim_core.errors import QueueUnavailableError
from slim_core.settings import Settings
from workers.redis_home import address_file, answers, known_url

log = logging.getLogger(__name__)

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
