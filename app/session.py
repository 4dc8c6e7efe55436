"""Who is this person, and what may they do: their sign-in, name and role; what a page asks of its session; and the
signed ticket by which a route knows the viewer.

Routes of ``st.App`` have no XSRF check and cannot see ``st.user``, so the script, which can, signs a short-lived token.
It is worth nothing without the cookie of the sign-in under which it was signed: neither in another browser, nor after
signing out, nor for whoever signs in next.

The store and the queue are shared by all sessions and by the routes of this process; they are cheap and thread-safe.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import secrets
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st
from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer

from slim_core.errors import ForbiddenError, NameRefusedError, NotFoundError, SettingRefusedError
from slim_core.settings import Settings, settings
from slim_core.store.database import driver_url
from slim_core.store.members import ROLES, Role, is_email

if TYPE_CHECKING:
    from slim_core.store import Store
    from workers.queue import Queue

TOKEN_HEADER = "X-Slim-Token"
GUEST = "guest"  # who signed in without an e-mail that counts
TOKEN_VALID_S = 12 * 3600
_KEY_BYTES = 32
_SIGN_IN = re.compile(r"_streamlit_user(_\d+)?")  # Streamlit's cookie; a long one goes on in others
_STEP_S = 3600  # tokens signed within the same hour are equal, so that the browser may cache what their URLs name


class TokenRefusedError(ForbiddenError):
    """The token is missing, forged or over its time."""


@dataclass(frozen=True)
class Viewer:
    """Someone looking at a page or calling a route. ``datasets`` and ``campaigns``: the ids allowed, None = all."""

    name: str
    role: Role
    datasets: tuple[str, ...] | None = None
    campaigns: tuple[str, ...] | None = None

    def may(self, role: Role) -> bool:
        """True where this viewer's role is ``role`` or a higher one."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def require(self, role: Role) -> None:
        """Raise ForbiddenError unless the viewer has at least this role."""
        if not self.may(role):
            raise ForbiddenError(f"Your role is {self.role}, and this requires the role {role}. Ask an admin.")

    def require_dataset(self, dataset: str) -> None:
        """Raise NotFoundError where the token does not reach this data set (its existence is not revealed)."""
        if self.datasets is not None and dataset not in self.datasets:
            raise NotFoundError(f"There is no data set {dataset}. Reload the page.")

    def require_campaign(self, campaign: str) -> None:
        """Raise NotFoundError where the token does not reach this campaign."""
        if self.campaigns is not None and campaign not in self.campaigns:
            raise NotFoundError(f"There is no campaign {campaign}. Reload the page.")


def sentence_for(viewer: Viewer | None, error: object) -> str:
    """An error as its sentence. Where things are on the server is for admins: others read the name of the setting.

    ``viewer``: None where it is not known who looks, as while the database is away.
    """
    text = str(error)
    return text if viewer is not None and viewer.may("admin") else without_places(text)


def without_places(text: str) -> str:
    """The name of the setting wherever a text has a place of this server."""
    for place, setting in _places(settings()):
        text = re.sub(rf"{re.escape(place)}(?![\w-])", setting, text)
    return text


@lru_cache(maxsize=4)
def _places(of: Settings) -> list[tuple[str, str]]:
    """(path or address, the setting that names it), the longest first: one may lie in the other."""
    found = {str(of.home.resolve()): "SLIM_HOME", str(of.home): "SLIM_HOME"}
    if of.database_url:
        url = driver_url(of.database_url)
        is_file = url.get_backend_name() == "sqlite"
        found[str(url.database if is_file else url.render_as_string())] = "SLIM_DATABASE_URL"
    if of.artifacts_url:
        found[of.artifacts_url] = "SLIM_ARTIFACTS_URL"
    return sorted(((place, named) for place, named in found.items() if "/" in place), key=lambda one: -len(one[0]))


class _HourlySigner(TimestampSigner):
    def get_timestamp(self) -> int:
        return int(time.time()) // _STEP_S * _STEP_S


@lru_cache(maxsize=4)
def _secret(home: Path) -> bytes:
    """The key of this installation: made once, readable by its owner only."""
    path = home / "token.key"
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f".token.key-{secrets.token_hex(4)}"
    if not path.exists():
        try:
            draft.touch(mode=0o600)
            draft.write_bytes(secrets.token_bytes(_KEY_BYTES))
            os.link(draft, path)  # of two that start at once, one wins, and both then read the winner's key
        except FileExistsError:
            pass
        finally:
            draft.unlink(missing_ok=True)
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise SettingRefusedError(
            f"The key {path} holds {len(key)} bytes, not {_KEY_BYTES}: delete it and start the dashboard again."
        )
    return key


def _serializer(home: Path | None = None) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(_secret((home or settings().home).resolve()), salt="routes", signer=_HourlySigner)


def sign_in_of(cookies: Mapping[str, str]) -> str:
    """The sign-in of a browser, as a digest of its cookie; "" where there is none."""
    found = sorted((name, value) for name, value in cookies.items() if _SIGN_IN.fullmatch(name))
    return hashlib.sha256(repr(found).encode()).hexdigest()[:32] if found else ""


def sign(viewer: Viewer, home: Path | None = None, sign_in: str = "") -> str:
    """A token that lets routes act for this viewer during the next hours.

    ``home``: of another installation. ``sign_in``: of the browser that may use it (``sign_in_of``).
    """
    return str(_serializer(home).dumps([viewer.name, viewer.role, viewer.datasets, viewer.campaigns, sign_in]))


def verify(token: str, sign_in: str = "") -> Viewer:
    """The viewer whom ``sign`` signed for; ``sign_in``: of the browser that sends it.

    Raises:
        TokenRefusedError: no token, a forged one, one of another version, of another sign-in, or one older than
            TOKEN_VALID_S (and the hour it was signed in).
    """
    try:
        fields: Any = _serializer().loads(token, max_age=TOKEN_VALID_S + _STEP_S)
    except BadSignature as error:
        raise TokenRefusedError("The token of this page is missing or has expired. Reload the page.") from error
    match fields:
        case [str(name), str(role), datasets, campaigns, str(of)] if role in ROLES and _are_ids(datasets, campaigns):
            if of != sign_in:
                raise TokenRefusedError("The token of this page belongs to another sign-in. Reload the page.")
            return Viewer(name, role, _ids(datasets), _ids(campaigns))
    raise TokenRefusedError("The token of this page was issued by another version. Reload the page.")


def _are_ids(*lists: object) -> bool:
    return all(one is None or (isinstance(one, list) and all(isinstance(id, str) for id in one)) for one in lists)


def _ids(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


@dataclass
class _Lookups:
    """What is looked up once in a run of a page."""

    has_auth: bool
    name: str | None


_looked_up: ContextVar[_Lookups | None] = ContextVar("slim-looked-up", default=None)  # inside ``cached_lookups``


def has_auth() -> bool:
    """True where people sign in through ``st.login``: ``[auth]`` in the secrets."""
    known = _looked_up.get()
    return _look_up_auth() if known is None else known.has_auth


def _look_up_auth() -> bool:
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def signs_in() -> bool:
    """True where viewers have names: ``[auth]`` in the secrets, or a trusted proxy's header."""
    return has_auth() or bool(trusted_headers())


def trusted_headers() -> tuple[str, ...]:
    """The headers by which a proxy in front says who somebody is; anybody else who reaches us could write them, too."""
    return tuple(st.get_option("server.trustedUserHeaders") or ())


def is_named_by_proxy(viewer: Viewer, headers: Mapping[str, str]) -> bool:
    """Whether the proxy that names people names this one in a request; True where no proxy does."""
    names = [header for header, key in (st.get_option("server.trustedUserHeaders") or {}).items() if key == "email"]
    named = headers.get(names[0], "").strip().lower() if names else ""
    return not names or (named != "" and viewer.name in (GUEST, named))


def safe_beyond_this_machine(settings: Settings) -> bool:
    """Whether other machines may reach the dashboard: people sign in, or it was said in plain words."""
    return has_auth() or settings.allow_without_sign_in or (settings.behind_proxy and bool(trusted_headers()))


def require_safe_address(settings: Settings) -> None:
    """Refuse to serve an address that others can reach without sign-in.

    Raises:
        ForbiddenError: the dashboard would listen on such an address.
    """
    address = st.get_option("server.address")
    if is_loopback(address) or safe_beyond_this_machine(settings):
        return
    if trusted_headers():
        raise ForbiddenError(
            f"The dashboard would listen on {address or 'every address of this machine'}, where anybody can write the "
            f"header {trusted_headers()[0]} and be anyone: use --server.address=127.0.0.1, or set "
            f"SLIM_BEHIND_PROXY=true where the proxy alone can reach that address."
        )
    raise ForbiddenError(
        f"The dashboard would listen on {address or 'every address of this machine'}, where anybody can change "
        f"everything without signing in: use --server.address=127.0.0.1, set up sign-in ([auth] in "
        f".streamlit/secrets.toml), or set SLIM_ALLOW_WITHOUT_SIGN_IN=true."
    )


def is_loopback(address: str | None) -> bool:
    """Whether only this machine reaches an address; None stands for all addresses."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


NAME = "slim-name"  # of the cookie, and of the entry in the session's state
MAX_NAME = 60
LIST_SEPARATORS = ",;"  # between the names in a list of annotators, and so in no name
_ticket: ContextVar[str | None] = ContextVar("slim-ticket", default=None)  # of a route, or of whose page a file is


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
    return _ticket.get() or signed_in_as() or GUEST


def reset() -> None:
    """Drop the shared store and queue: for tests that change SLIM_HOME."""
    settings.cache_clear()
    _store.cache_clear()
    _queue.cache_clear()


def viewer() -> Viewer:
    """Who uses the page. Without sign-in the app listens on 127.0.0.1 only, and its one user may do all.

    With sign-in (``[auth]`` in the secrets, or a trusted proxy's header) the role is the member's; others only view.
    """
    if not signs_in():
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
    if audience is None or not has_auth():
        return False
    auth = st.secrets["auth"]
    sections = [auth, *(one for one in auth.values() if isinstance(one, Mapping))]
    ours = {str(one["client_id"]) for one in sections if "client_id" in one}
    return ours.isdisjoint(audience if isinstance(audience, list) else [audience])


@contextmanager
def cached_lookups() -> Iterator[None]:
    """Around one run of a page or a fragment, which asks some twenty times: it is looked up at its start.

    Streamlit ends a run for what came in meanwhile, such as a click on another page, wherever the state of the session
    is read. A press that saves several steps, each of which asks who does it, would be cut short between two of them.
    """
    if _looked_up.get() is not None:  # a fragment that is drawn with its page
        yield
        return
    before = _looked_up.set(_Lookups(_look_up_auth(), _look_up_name()))
    try:
        yield
    finally:
        _looked_up.reset(before)


def given_name() -> str | None:
    """The name that this browser was given, without sign-in; None until it was given one."""
    known = _looked_up.get()
    return _look_up_name() if known is None else known.name


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
    if (known := _looked_up.get()) is not None:
        known.name = clean


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
    if has_auth():
        return not st.user.get("is_logged_in") or is_of_another_client()
    return bool(trusted_headers()) and not str(st.user.get("email") or "").strip()


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
    return sign(narrowed, sign_in=sign_in_of(st.context.cookies))
