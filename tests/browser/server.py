"""The dashboard of the tests: that of the benchmarks, on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.dashboard import server
from benchmarks.processes import LOOPBACK

ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@contextmanager
def dashboard(home: Path, *options: str, host: str = LOOPBACK, port: int = 0) -> Iterator[str]:
    """The address of a dashboard on this SLIM_HOME; it and all it started end with the block."""
    with server(home, *options, host=host, port=port, more=ONE_THREAD) as started:
        yield started.address
