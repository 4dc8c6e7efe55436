"""Which names and pages the server answers: its own; and what browsers may do with its answers.

A website can give its own name the address of this machine (DNS rebinding), open the dashboard in a frame, or open a
websocket to it from a visitor's browser. So the Host of every request, and the Origin of every one that could change
something, are checked here, before Streamlit sees them; also on loopback, where nobody signs in.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from app import bind_address
from slim_core.settings import Settings
from slim_core.settings import settings as current_settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # addresses of images carry a token
}


class KnownHosts:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what does not belong here with 403; pass the rest on, with our headers on its way back."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif (reason := refusal(scope, current_settings())) is None:
            await self.app(scope, receive, _protected(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": reason[:120]})
        else:
            await PlainTextResponse(reason, status_code=403)(scope, receive, send)


def refusal(scope: Scope, settings: Settings) -> str | None:
    """Why a request is refused, in a sentence; None where it is answered."""
    headers, here = Headers(scope=scope), _local_address(scope)
    if not _is_local(here) and not bind_address.safe_beyond_this_machine(settings):
        return (
            "Nobody signs in here, so the dashboard answers only its own machine: open it there, set up sign-in, or "
            "set SLIM_ALLOW_WITHOUT_SIGN_IN=true (behind a proxy that signs people in: SLIM_BEHIND_PROXY=true)."
        )
    doubled = [name for name in bind_address.trusted_headers() if len(headers.getlist(name)) > 1]
    if doubled:  # the one that counts might be the client's own
        return f"The header {doubled[0]} came more than once: let the proxy replace it, not add to it."
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _is_known(_name(hosts[0]), here, settings):
        return (
            f"The dashboard does not answer to the name {', '.join(hosts)[:100]!r}: add it to SLIM_ALLOWED_HOSTS or "
            f"SLIM_PUBLIC_URL where the dashboard runs."
        )
    origin = headers.get("origin")
    changes = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
    if changes and origin is not None and not _is_own(origin, hosts[0], settings):
        return f"A page of {origin[:100]!r} may not use this dashboard: open the dashboard itself."
    return None


def _protected(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _local_address(scope: Scope) -> str:
    """The address of this machine that was connected to; "" for a socket in a folder."""
    server = scope.get("server")
    return str(server[0]) if server and server[1] is not None else ""


def _name(host: str) -> str:
    """The name of a Host header without its port: "[::1]:8501" is ::1."""
    try:
        return "" if "@" in host else (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_local(here: str) -> bool:
    return here == "" or bind_address.is_loopback(here)


def _is_known(name: str, here: str, settings: Settings) -> bool:
    """Loopback's names, the address connected to, those in the settings, and the machine's names beyond loopback."""
    if name in {*LOCAL_NAMES, here, *_named(settings)} - {""}:
        return True
    return not _is_local(here) and name != "" and name in _machine_names()  # last: it may ask a name server


def _named(settings: Settings) -> list[str]:
    public = urlsplit(settings.public_url).hostname if settings.public_url else None
    return [*(one.lower() for one in settings.allowed_hosts), *([public] if public else [])]


@lru_cache(maxsize=1)
def _machine_names() -> tuple[str, ...]:
    return (socket.gethostname().lower(), socket.getfqdn().lower())


def _is_own(origin: str, host: str, settings: Settings) -> bool:
    """Whether a page of this origin is the dashboard's: served under the very host, or at the public address."""
    given, public = split_address(origin), urlsplit(settings.public_url or "")
    return given.netloc != "" and (given.netloc == host or given[:2] == public[:2])


def split_address(address: str) -> SplitResult:
    """The parts of an address that a browser has sent; of none where it cannot be read."""
    try:
        return urlsplit(address)
    except ValueError:  # half an address in brackets
        return urlsplit("")
