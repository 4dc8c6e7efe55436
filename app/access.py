"""Who may do what: whether people sign in, the viewer's role, and the signed ticket by which a route knows the viewer.

Routes of ``st.App`` have no XSRF check and cannot see ``st.user``, so the script, which can, signs a short-lived token.
It is worth nothing without the cookie of the sign-in under which it was signed: neither in another browser, nor after
signing out, nor for whoever signs in next.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st
from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer

from slim_core.errors import ForbiddenError, NotFoundError, SettingRefusedError
from slim_core.settings import Settings, settings
from slim_core.store.database import driver_url
from slim_core.store.members import ROLES, Role

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


_auth: ContextVar[bool | None] = ContextVar("slim-auth", default=None)  # inside ``cached_auth``


def has_auth() -> bool:
    """True where people sign in through ``st.login``: ``[auth]`` in the secrets."""
    found = _auth.get()
    return _look_up_auth() if found is None else found


@contextmanager
def cached_auth() -> Iterator[None]:
    """Around one run of a page or a fragment, which asks some twenty times: the files are looked for at its start."""
    if _auth.get() is not None:  # a fragment that is drawn with its page
        yield
        return
    before = _auth.set(_look_up_auth())
    try:
        yield
    finally:
        _auth.reset(before)


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
