"""A Redis of a test's own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from workers.local import server_binary


@contextmanager
def redis_at(folder: Path) -> Iterator[str]:
    """Its address, while it runs."""
    address = folder / "r.sock"
    process = subprocess.Popen(
        [server_binary(), "--port", "0", "--unixsocket", str(address), "--save", ""], stdout=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 30
        while not _answers(address):
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.02)
        yield f"unix://{address}"
    finally:
        process.terminate()
        process.wait()


def _answers(address: Path) -> bool:
    """The socket is there before anybody listens on it."""
    with redis.Redis(unix_socket_path=str(address)) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
