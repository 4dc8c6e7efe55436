"""Connections that say nothing keep nobody out for longer than they last, and do not fill the log."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app import connections
from benchmarks.dashboard import Server, server

FEW = 200  # files that the process may have, some of which are its own
SILENT = 300


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path / "home") as started:
        yield started


def silent(dashboard: Server, stack: ExitStack) -> None:
    at = urlsplit(str(dashboard))
    for _ in range(SILENT):
        stack.enter_context(socket.create_connection((at.hostname, at.port)))


def answers(dashboard: Server) -> bool:
    try:
        with urllib.request.urlopen(f"{dashboard}/healthz", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.redis
def test_more_silent_connections_than_files_leave_a_short_log_and_a_server(dashboard: Server, tmp_path: Path) -> None:
    soft, hard = resource.prlimit(dashboard.pid, resource.RLIMIT_NOFILE)
    assert soft >= min(hard, connections.MOST_FILES) > SILENT
    with ExitStack() as stack:
        silent(dashboard, stack)
        assert answers(dashboard), "there are files enough"
        resource.prlimit(dashboard.pid, resource.RLIMIT_NOFILE, (FEW, FEW))
        silent(dashboard, stack)
        time.sleep(5)
    until = time.monotonic() + 30
    while not answers(dashboard) and time.monotonic() < until:
        time.sleep(0.2)
    assert answers(dashboard), "the others are gone"
    log = (tmp_path / "home" / "dashboard.log").read_text()
    assert log.count("out of system resource") == 1 and len(log) < 100_000


def test_another_error_of_the_loop_is_logged_at_once_and_the_same_a_minute_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    monkeypatch.setattr(connections.time, "monotonic", lambda: now)
    loop = asyncio.new_event_loop()
    connections.say_once_a_minute(loop)
    with caplog.at_level(logging.ERROR):
        for now, message in ((0.0, "one"), (1.0, "one"), (2.0, "two"), (59.0, "one"), (61.0, "one")):  # noqa: B007
            loop.call_exception_handler({"message": message})
    loop.close()
    assert [record.message for record in caplog.records] == ["one", "two", "one"]
