"""The dashboard as its user starts it: `streamlit run app/main.py`, with its own Redis and worker."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from benchmarks.processes import end

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 60


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on now."""
    with socket.socket() as one:
        one.bind((host, 0))
        return int(one.getsockname()[1])


def command(port: int, host: str, *options: str) -> list[str]:
    """What starts a dashboard."""
    start = [sys.executable, "-m", "streamlit", "run", "app/main.py"]
    return [*start, "--server.port", str(port), "--server.address", host, *options]


def environment(home: Path) -> dict[str, str]:
    """What it is started with: this SLIM_HOME, a Redis of its own."""
    ours = {"SLIM_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return {name: value for name, value in os.environ.items() if name != "SLIM_REDIS_URL"} | ours


@contextmanager
def dashboard(home: Path, *options: str, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The address of a dashboard on this SLIM_HOME; it and all it started end with the block."""
    port = port or free_port(host)
    path = home / "dashboard.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            command(port, host, *options), cwd=ROOT, env=environment(home), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_for(f"http://{host}:{port}/_stcore/health", process, path)
        yield f"http://{host}:{port}"
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
        except (URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"nothing answers at {url}:\n" + log.read_text()[-3000:])
