"""Which pages the server waits for the browser to have painted: begun by a page's run, ended by the browser's word.

The word comes over the route /api/painted, in another thread than the page's run. A word for a page that nobody waits
for (any more, or in this process) is no error.
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
    told: threading.Event = field(default_factory=threading.Event)


@contextmanager
def awaited() -> Iterator[Awaited]:
    """A new page to be waited for: ``awaited.told.wait(seconds)``."""
    page = Awaited(secrets.token_urlsafe(12))
    _awaited[page.id] = page.told
    try:
        yield page
    finally:
        del _awaited[page.id]


def tell(page: str) -> None:
    """The browser has painted this page."""
    if (event := _awaited.get(page)) is not None:
        event.set()
