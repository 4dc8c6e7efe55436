"""Errors as the one sentence they are; a page that met no database, or no queue, is drawn again once there is one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app import access, session
from app.ui.escape import prose
from slim_core.errors import QueueUnavailableError, SlimError
from slim_core.store.database import StoreUnavailableError, disk_error

EVERY_S = 3


def when_the_database_is_back() -> None:
    """Draw the page again as soon as the database answers; nothing where it does, and another trouble was met."""
    if not _database_is_back():
        _try_again()


def when_the_queue_is_back() -> None:
    """The same of Redis: what a press has saved meanwhile is shown then, and no longer that it waits for Redis."""
    if not _takes_runs():
        _follow_queue()


@st.fragment(run_every=EVERY_S)
def _try_again() -> None:
    if _database_is_back():
        st.rerun()
    st.caption(f"This page tries again every {EVERY_S} seconds.")


@st.fragment(run_every=EVERY_S)
def _follow_queue() -> None:
    if _takes_runs():
        st.rerun()


def _database_is_back() -> bool:
    try:
        return session.store().database.answers()
    except SlimError:  # it has not been opened yet
        return False


def _takes_runs() -> bool:
    try:
        return session.queue().silence() is None
    except SlimError:  # the database is away by now
        return False


log = logging.getLogger(__name__)


@contextmanager
def errors_shown(said: set[str] | None = None) -> Iterator[None]:
    """Show a SlimError raised inside as its sentence, and one of the disk; what follows on the page still runs.

    Where the database or Redis was away, the page is drawn again once it answers. ``said``: by other parts of the page,
    which may meet the same: a sentence among them is not said again.
    """
    said = set() if said is None else said
    try:
        yield
    except StoreUnavailableError as error:
        log.warning("A page could not be drawn: %s", error)  # with the place, for whoever runs the server
        _show(error, said)
    except SlimError as error:
        _show(error, said)
    except OSError as error:
        log.warning("A page met a disk that is away or full", exc_info=True)
        _show(disk_error(error), said)


def for_reader(message: object) -> str:
    """An error, or what a run says, as the person of this page may read it: only an admin reads where things are on
    the server."""
    text = str(message)
    if access.without_places(text) == text:
        return text  # as nearly all: whose page it is, the database need not say
    try:
        viewer = session.viewer()
    except SlimError:  # the database is away, and with it their role
        viewer = None
    return access.sentence_for(viewer, text)


def _show(error: SlimError, said: set[str]) -> None:
    sentence = for_reader(error)
    if sentence not in said:
        st.error(prose(sentence), icon=":material/error:")
    said.add(sentence)
    if isinstance(error, StoreUnavailableError):
        when_the_database_is_back()
    elif isinstance(error, QueueUnavailableError):
        when_the_queue_is_back()
