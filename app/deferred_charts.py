"""Which pages the server waits for the browser to have painted: begun by a page's run, ended by the browser's report.

The report comes over the route /api/painted, in another thread than the page's run. A report for a page that
is no longer waited for, or not in this process, is ignored.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_awaited: dict[str, threading.Event] = {}


@dataclass(frozen=True)
class Awaited:
    """A page that is being painted; ``id`` is what the browser names it by."""

    id: str
    painted: threading.Event = field(default_factory=threading.Event)


@contextmanager
def awaited() -> Iterator[Awaited]:
    """A new page to be waited for: ``awaited.painted.wait(seconds)``."""
    page = Awaited(secrets.token_urlsafe(12))
    _awaited[page.id] = page.painted
    try:
        yield page
    finally:
        del _awaited[page.id]


def mark_painted(page: str) -> None:
    """The browser has painted this page."""
    if (event := _awaited.get(page)) is not None:
        event.set()
