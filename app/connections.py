"""What the server's process is given against connections that say nothing: more of them, and a log that stays short.

Uvicorn ends none that sends no request, and Python's loop logs each connection that it cannot accept, some thousand
times a second: 484 MB in 80 seconds. Who serves to strangers puts a proxy with timeouts in front (docs/operations.md).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

SAID_EVERY_S = 60
MOST_FILES = 65_536


def raise_file_limit() -> None:
    """Each connection is an open file: up to MOST_FILES, where this user may have them, not the 1,024 of a shell."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def say_once_a_minute(loop: asyncio.AbstractEventLoop) -> None:
    """An error of the loop itself that repeats is logged again after SAID_EVERY_S."""
    said: dict[str, float] = {}

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        message, now = str(context.get("message")), time.monotonic()
        if now - said.get(message, -SAID_EVERY_S) >= SAID_EVERY_S:
            said[message] = now
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
