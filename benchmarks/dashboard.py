"""The dashboard as its user starts it: `streamlit run app/main.py`, with its own Redis and worker.

with server(home) as dashboard:
    visit(page, f"{dashboard}/jobs")
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import LOOPBACK, end, free_port

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 180  # a busy machine takes more than a minute


@dataclass(frozen=True)
class Server:
    """A running dashboard."""

    address: str  # http://127.0.0.1:<port>
    pid: int  # of the process that serves the pages

    def __str__(self) -> str:
        return self.address


def command(port: int, host: str = LOOPBACK, *options: str) -> list[str]:
    """What starts a dashboard."""
    start = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.headless", "true"]
    return [*start, "--server.port", str(port), "--server.address", host, *options]


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What it is started with: this SLIM_HOME, a Redis of its own, and ``more``, such as SLIM_THREADS."""
    of_ours = {name: value for name, value in os.environ.items() if name != "SLIM_REDIS_URL"}
    return of_ours | {"SLIM_HOME": str(home)} | dict(more or {})


@contextmanager
def server(
    home: Path, *options: str, host: str = LOOPBACK, port: int = 0, more: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A dashboard on this SLIM_HOME; it and all that it started end with the block. ``port`` 0 takes a free one."""
    port = port or free_port(host)
    home.mkdir(parents=True, exist_ok=True)
    path = home / "dashboard.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            command(port, host, *options), cwd=ROOT, env=environment(home, more), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_for(f"http://{host}:{port}/healthz", process, path)
        yield Server(f"http://{host}:{port}", process.pid)
    finally:
        end(process)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the process answers there.

    Raises:
        RuntimeError: it has ended or takes too long; with the end of its log.
    """
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"nothing answers at {url}:\n" + log.read_text()[-3000:])
