"""The running services of a site, and what an operator, or misfortune, does to them."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import psutil

from benchmarks.postgres import IMMEDIATE, Cluster
from benchmarks.processes import command_of, end, until
from benchmarks.served.effort import Pids
from benchmarks.served.people import HEADER
from benchmarks.served.topology import ROOT, Topology
from benchmarks.small_disk import fill, small_disk
from slim_core.store import Store

START_S = 180.0
DOWN_S = 3.0  # of a service that is restarted: as long as a container takes to come again
N_WORKERS = 2
SLOTS = 2  # processes of a worker: one that computes, and one for light jobs
SMALL_MB = 768  # of a disk for SLIM_HOME; below 200 MB free the dashboard says that it is full


class Site:
    """compose.yaml with a PostgreSQL server of its own; people are named by a proxy's header."""

    def __init__(self, topology: Topology, cluster: Cluster, *, has_small_disk: bool) -> None:
        self.topology, self.cluster = topology, cluster
        self.has_small_disk = has_small_disk
        self.metrics_token = topology.more["SLIM_METRICS_TOKEN"]
        self.settings = topology.settings()
        self._processes: dict[str, subprocess.Popen[bytes]] = {"redis": topology.start_redis()}
        until(topology.redis_is_healthy, "Redis", START_S)
        self._processes["app"] = topology.start_app()
        until(lambda: self.readiness().get("ready"), "the app", START_S)
        for k in range(N_WORKERS):
            self._start_worker(f"worker-{k}")
        self.store = Store.open(self.settings)
        until(lambda: len(self.store.workers.alive()) >= N_WORKERS * SLOTS, "the workers", START_S)

    @property
    def app_pid(self) -> int:
        """Of the dashboard."""
        return self._processes["app"].pid

    def groups(self) -> dict[str, Pids]:
        """Whose processes are which: of the site, and of those who use it."""

        def below(pid: int) -> list[int]:
            with suppress(psutil.Error):
                return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
            return []

        def workers() -> list[int]:
            return [pid for name in self._processes if name.startswith("worker") for pid in below(self._pid(name))]

        def browsers() -> list[int]:
            drivers = [child for child in psutil.Process().children() if "playwright" in command_of(child)]
            return [pid for driver in drivers for pid in below(driver.pid)]

        return {
            "app": lambda: [self.app_pid],
            "database": lambda: below(self.cluster.pid),
            "redis": lambda: [self._pid("redis")],
            "workers": workers,
            "browsers": browsers,
            "people": lambda: [os.getpid()],
        }

    def _pid(self, name: str) -> int:
        return self._processes[name].pid

    def readiness(self) -> dict[str, Any]:
        """What /readyz says; nothing where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.topology.port}/readyz", timeout=5) as reply:
                found: dict[str, Any] = json.load(reply)
        except HTTPError as error:
            with error:
                found = json.load(error)
        except (OSError, ValueError):
            return {}
        return found

    def is_ready(self) -> bool:
        """The app, the database, Redis and the disk."""
        found = self.readiness()
        return bool(found.get("ready")) and found["redis"] == "ok"

    def restart_redis(self) -> None:
        """Ended in order, and started again."""
        end(self._processes["redis"])
        time.sleep(DOWN_S)
        self._processes["redis"] = self.topology.start_redis()

    def restart_database(self) -> None:
        """Ended at once, as when its machine dies, and started again."""
        self.cluster.stop(IMMEDIATE)
        time.sleep(DOWN_S)
        self.cluster.start()

    def restart_app(self) -> None:
        """Ended in order, and started again."""
        end(self._processes["app"], self.topology.grace_s("app"))
        time.sleep(DOWN_S)
        self._processes["app"] = self.topology.start_app()

    def kill_worker(self, slot_pid: int | None) -> set[int]:
        """-9 to the worker service that this process belongs to, or to the first one; started again.

        Returns:
            The processes that died with it.
        """
        names = [name for name in self._processes if name.startswith("worker")]
        chosen = next((name for name in names if slot_pid in self._children(name)), names[0])
        gone = self._children(chosen)
        self._processes[chosen].kill()
        self._processes[chosen].wait()
        time.sleep(DOWN_S)
        self._start_worker(chosen)
        return gone

    def fill_disk(self) -> None:
        """Of SLIM_HOME: the artifacts; the database and Redis have theirs elsewhere, as in compose."""
        fill(self._ballast)

    def free_disk(self) -> None:
        """There is space again."""
        self._ballast.unlink()

    def slim(self, *words: str, **variables: str) -> str:
        """What a command prints to whoever runs the server.

        Raises:
            RuntimeError: it fails.
        """
        environment = self.topology.environment("worker") | variables
        done = subprocess.run(
            [sys.executable, "-m", "slim_core.cli", *words], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"slim {' '.join(words)}: {done.stderr[-2000:]}")
        return done.stdout

    @property
    def _ballast(self) -> Path:
        return self.settings.home / "ballast"

    def _start_worker(self, name: str) -> None:
        self._processes[name] = self.topology.start("worker", name=name)

    def _children(self, name: str) -> set[int]:
        try:
            return {child.pid for child in psutil.Process(self._processes[name].pid).children(recursive=True)}
        except psutil.Error:
            return set()


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """All of it in this folder; every process ends with the block."""
    variables = {"STREAMLIT_SERVER_TRUSTED_USER_HEADERS": json.dumps({HEADER: "email"}), "OMP_NUM_THREADS": "1"}
    variables |= {"SLIM_THREADS": "1", "PYTHONPATH": str(ROOT), "SLIM_METRICS_TOKEN": secrets.token_urlsafe(16)}
    with ExitStack() as stack:
        home, has_small_disk = folder / "home", True
        try:
            stack.enter_context(small_disk(home, SMALL_MB))
        except OSError:
            has_small_disk = False
        topology = Topology(folder, "", stack, more=variables, home=home)
        cluster = Cluster("slim", topology.passwords["POSTGRES_PASSWORD"], topology.database_port, database="slim")
        stack.enter_context(cluster)
        opened = Site(topology, cluster, has_small_disk=has_small_disk)
        stack.callback(opened.store.close)
        yield opened
