"""What a page asks of its session: the store, the queue, the viewer, and the token for the routes.

The store and the queue are shared by all sessions and by the routes of this process; they are cheap and thread-safe.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from app import access
from app.access import Viewer
from slim_core.errors import NameRefusedError
from slim_core.settings import Settings, settings
from slim_core.store.members import is_email

if TYPE_CHECKING:
    from slim_core.store import Store
    from slim_core.store.members import Role
    from workers.queue import Queue

NAME = "slim-name"  # of the cookie, and of the entry in the session's state
MAX_NAME = 60
LIST_SEPARATORS = ",;"  # between the names in a list of annotators, and so in no name
_ticket: ContextVar[str | None] = ContextVar("slim-ticket", default=None)  # of a route, or of whose page a file is
_named: ContextVar[list[str | None] | None] = ContextVar("slim-named", default=None)  # inside ``cached_lookups``


@lru_cache(maxsize=2)
def _store(of: Settings) -> Store:
    from slim_core.store import Store

    return Store.open(of)


@lru_cache(maxsize=2)
def _queue(of: Settings) -> Queue:
    from workers.queue import Queue

    return Queue(of, _store(of))


def store() -> Store:
    """The one store of this process; the database is migrated at first."""
    return _store(settings())


def queue() -> Queue:
    """The queue over ``store``. Making it needs no Redis; using it may raise QueueUnavailableError."""
    return _queue(settings())


@contextmanager
def reading_as(viewer: Viewer) -> Iterator[None]:
    """Where there is no session of Streamlit, in a route or a download: what follows is done for this person."""
    before = _ticket.set(viewer.name)
    try:
        yield
    finally:
        _ticket.reset(before)


def _reader() -> str:
    return _ticket.get() or signed_in_as() or access.GUEST


def reset() -> None:
    """Drop the shared store and queue: for tests that change SLIM_HOME."""
    settings.cache_clear()
    _store.cache_clear()
    _queue.cache_clear()


def viewer() -> Viewer:
    """Who uses the page. Without sign-in the app listens on 127.0.0.1 only, and its one user may do all.

    With sign-in (``[auth]`` in the secrets, or a trusted proxy's header) the role is the member's; others only view.
    """
    if not access.signs_in():
        return Viewer(name=given_name() or "local", role="admin")
    name = _reader()
    return Viewer(name=name, role=store().members.role(name) or "viewer")


def acting_as(role: Role) -> str:
    """The name under which this viewer changes something that needs ``role``.

    Raises:
        ForbiddenError: their role does not suffice.
    """
    who = viewer()
    who.require(role)
    return who.name


def signed_in_as() -> str | None:
    """The e-mail this person signed in with, in the lower case in which members are kept.

    None where there is none, where the provider says it is unverified: it might be another person's, or where the
    sign-in was another client's. A name that is no e-mail is none: "local" is who has
    registered what commands did.
    """
    given = str(st.user.get("email") or "").strip()
    email = given.lower()
    counts = is_email(email) and not _has_twins(given)
    return email if counts and not is_unverified() and not is_of_another_client() else None


def _has_twins(text: str) -> bool:
    """Whether a letter of it is another one in disguise, whose lower case it has: the sign of kelvin is no K."""
    return any(unicodedata.normalize("NFC", one) != one for one in text)


def is_unverified() -> bool:
    """True where the provider says that this person's e-mail is unverified; most say nothing about it."""
    return str(st.user.get("email_verified", "")).strip().lower() in ("false", "0", "no", "none", "null")


def is_of_another_client() -> bool:
    """True where the id_token of this sign-in was made for others than us (its ``aud``, OpenID Connect Core 3.1.3.7).

    Authlib lets one through that another client has got for us (``azp``), so it is checked here.
    """
    audience = st.user.get("aud")
    if audience is None or not access.has_auth():
        return False
    auth = st.secrets["auth"]
    sections = [auth, *(one for one in auth.values() if isinstance(one, Mapping))]
    ours = {str(one["client_id"]) for one in sections if "client_id" in one}
    return ours.isdisjoint(audience if isinstance(audience, list) else [audience])


@contextmanager
def cached_lookups() -> Iterator[None]:
    """Around one run of a page or a fragment: what it asks for again and again is looked up at its start.

    Streamlit ends a run for what came in meanwhile, such as a click on another page, wherever the state of the session
    is read. A press that saves several steps, each of which asks who does it, would be cut short between two of them.
    """
    with access.cached_auth():
        if _named.get() is not None:  # a fragment that is drawn with its page
            yield
            return
        before = _named.set([_look_up_name()])
        try:
            yield
        finally:
            _named.reset(before)


def given_name() -> str | None:
    """The name that this browser was given, without sign-in; None until it was given one."""
    named = _named.get()
    return _look_up_name() if named is None else named[0]


def _look_up_name() -> str | None:
    return _name(st.session_state.get(NAME) or unquote(st.context.cookies.get(NAME, "")))


def give_name(name: str) -> None:
    """Name this browser for the rest of its session; the annotator keeps the cookie that outlives it.

    Raises:
        NameRefusedError: it is too long, has letters that cannot be seen, or those that separate names in a list.
    """
    clean = _name(spelled(name))
    if clean is None:
        shown = name if name.isprintable() else ascii(name)[1:-1]
        raise NameRefusedError(f"{shown[:MAX_NAME]} is not a valid name. Use 1 to {MAX_NAME} visible characters.")
    if set(clean) & set(LIST_SEPARATORS):
        raise NameRefusedError(
            f"{clean} is not a valid name: commas and semicolons separate names in a campaign's list of annotators. "
            f"Leave them out."
        )
    st.session_state[NAME] = clean
    if (named := _named.get()) is not None:
        named[0] = clean


def spelled(name: str) -> str:
    """A name as names are compared: its letters composed, since an accent may be typed by itself; single spaces."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def _name(text: object) -> str | None:
    clean = " ".join(str(text).split()) if isinstance(text, str) else ""
    return clean if 1 <= len(clean) <= MAX_NAME and clean.isprintable() else None


def clock(moment: datetime) -> str:
    """Day and time by the clock of this reader, as tables have it ("29 Nov 19:05"); by UTC where none is known."""
    return moment.astimezone(_zone()).strftime("%d %b %H:%M")


def day(moment: datetime) -> str:
    """The day by the clock of this reader, with its year ("29 Nov 2026")."""
    return moment.astimezone(_zone()).strftime("%d %b %Y")


def _zone() -> tzinfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a browser may say anything
        return UTC


def must_sign_in() -> bool:
    """True where this person has not signed in yet, or where the proxy that names people has named nobody."""
    if access.has_auth():
        return not st.user.get("is_logged_in") or is_of_another_client()
    return bool(access.trusted_headers()) and not str(st.user.get("email") or "").strip()


def token(*, dataset: str | None = None, campaign: str | None = None) -> str:
    """A signed token for the routes, narrowed to a data set or a campaign where one is named.

    Equal within an hour and a sign-in, so that image URLs stay cacheable. Send it as ``?token=`` on GET, and as the
    header ``X-Slim-Token`` on POST.
    """
    who = viewer()
    narrowed = replace(
        who,
        datasets=None if dataset is None else (dataset,),
        campaigns=None if campaign is None else (campaign,),
    )
    return access.sign(narrowed, sign_in=access.sign_in_of(st.context.cookies))
