"""The dashboard listens beyond this machine only where people sign in, or where that was explicitly allowed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import streamlit as st

from slim_core.errors import ForbiddenError
from slim_core.settings import Settings

_found: ContextVar[bool | None] = ContextVar("slim-auth", default=None)  # inside ``cached_lookup``


def has_auth() -> bool:
    """True where people sign in through ``st.login``: ``[auth]`` in the secrets."""
    found = _found.get()
    return _look_up() if found is None else found


@contextmanager
def cached_lookup() -> Iterator[None]:
    """Around one run of a page or a fragment, which asks some twenty times: the files are looked for at its start."""
    if _found.get() is not None:  # a fragment that is drawn with its page
        yield
        return
    before = _found.set(_look_up())
    try:
        yield
    finally:
        _found.reset(before)


def _look_up() -> bool:
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def signs_in() -> bool:
    """True where viewers have names: ``[auth]`` in the secrets, or a trusted proxy's header."""
    return has_auth() or bool(trusted_headers())


def trusted_headers() -> tuple[str, ...]:
    """The headers by which a proxy in front says who somebody is; anybody else who reaches us could write them, too."""
    return tuple(st.get_option("server.trustedUserHeaders") or ())


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
