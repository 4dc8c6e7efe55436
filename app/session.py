"""What a page asks of its session: the store, the queue, the viewer, and the token for the routes.

The store and the queue are shared by all sessions and by the routes of this process; they are cheap and thread-safe.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import streamlit as st

from app import access
from app.access import Viewer
from app.listening import signs_in
from slim_core.settings import Settings, settings

if TYPE_CHECKING:
    from slim_core.store import Store
    from workers.queue import Queue


@lru_cache(maxsize=2)
def _store(of: Settings) -> Store:
    from slim_core.store import Store

    return Store.open(of)


@lru_cache(maxsize=2)
def _queue(of: Settings) -> Queue:
    from workers.queue import Queue

    return Queue(of, _store(of))


def store() -> Store:
    """The one store of this process (database migrated at its first use)."""
    return _store(settings())


def queue() -> Queue:
    """The one queue of this process. Making it needs no Redis; using it may raise QueueUnavailableError."""
    return _queue(settings())


def forget() -> None:
    """Drop the shared store and queue: for tests that change SLIM_HOME."""
    settings.cache_clear()
    _store.cache_clear()
    _queue.cache_clear()


def viewer() -> Viewer:
    """Who looks at the page. Without sign-in the app listens on 127.0.0.1 only, and its one user may do all.

    With sign-in (``[auth]`` in the secrets, or a trusted proxy's header) the role is the member's; strangers look on.
    """
    if not signs_in():
        return Viewer(name="local", role="admin")
    email = str(st.user.get("email") or "")
    return Viewer(name=email or "guest", role=(store().members.role(email) if email else None) or "viewer")


def token(*, dataset: str | None = None, campaign: str | None = None) -> str:
    """A signed token for the routes, narrowed to a data set or a campaign where one is named.

    Equal within an hour, so that image URLs stay cacheable. Send it as ``?token=`` on GET, and as the header
    ``X-Slim-Token`` on POST.
    """
    who = viewer()
    return access.sign(
        Viewer(who.name, who.role, None if dataset is None else (dataset,), None if campaign is None else (campaign,))
    )
