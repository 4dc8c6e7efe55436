"""What is let in, before Streamlit sees it: requests of known hosts, messages of pages, files that were asked for.

A website can give its own name the address of this machine (DNS rebinding), open the dashboard in a frame, or open a
websocket to it from a visitor's browser. So the Host of every request, and the Origin of every one that could change
something, are checked here; also on loopback, where nobody signs in.

Streamlit itself logs a traceback for each frame of a websocket that it cannot read, and answers messages that no page
of ours sends, all from whoever reaches the port, before they sign in: which files lie untracked in the folder of the
code, or 200 bytes for each empty name of a file, while everybody else waits. Of each widget it keeps some 700 bytes.
It takes files into memory from whoever holds a session, which is had before signing in, too: only sessions to which a
page has just shown a file input may send some, as a lead's pages do.
"""

from __future__ import annotations

import logging
import re
import socket
import time
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import streamlit as st
from google.protobuf.message import DecodeError
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import access
from app.access import TOKEN_VALID_S
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
    if not _is_local(here) and not access.safe_beyond_this_machine(settings):
        return (
            "Nobody signs in here, so the dashboard answers only its own machine: open it there, set up sign-in, or "
            "set SLIM_ALLOW_WITHOUT_SIGN_IN=true (behind a proxy that signs people in: SLIM_BEHIND_PROXY=true)."
        )
    doubled = [name for name in access.trusted_headers() if len(headers.getlist(name)) > 1]
    if doubled:  # the one that counts might be the client's own
        return f"The header {doubled[0]} came more than once: let the proxy replace it, not add to it."
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _is_known(_name_of(hosts[0]), here, settings):
        return (
            f"The dashboard does not answer to the name {', '.join(hosts)[:100]!r}: add its address to "
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


def _name_of(host: str) -> str:
    """The name of a Host header without its port: "[::1]:8501" is ::1."""
    try:
        return "" if "@" in host else (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_local(here: str) -> bool:
    return here == "" or access.is_loopback(here)


def _is_known(name: str, here: str, settings: Settings) -> bool:
    """Loopback's names, the address connected to, those in the settings, and the machine's names beyond loopback."""
    if name in {*LOCAL_NAMES, here, *_named(settings)} - {""}:
        return True
    return not _is_local(here) and name != "" and name in _machine_names()  # last: it may ask a name server


def _named(settings: Settings) -> list[str]:
    return [urlsplit(url).hostname or "" for url in settings.public_url]


@lru_cache(maxsize=1)
def _machine_names() -> tuple[str, ...]:
    return (socket.gethostname().lower(), socket.getfqdn().lower())


def _is_own(origin: str, host: str, settings: Settings) -> bool:
    """Whether a page of this origin is the dashboard's: served under the very host, or at a public address."""
    given, public = split_address(origin), [urlsplit(url)[:2] for url in settings.public_url]
    return given.netloc != "" and (given.netloc == host or given[:2] in public)


def split_address(address: str) -> SplitResult:
    """The parts of an address that a browser has sent; of none where it cannot be read."""
    try:
        return urlsplit(address)
    except ValueError:  # half an address in brackets
        return urlsplit("")


log = logging.getLogger(__name__)

PROTOCOL_ERROR = 1002  # RFC 6455, section 7.4.1
SENT = ("rerun_script", "stop_script", "app_heartbeat", "file_urls_request", "backend_operation_request")
MOST_FILES = 100  # to be sent at once: none of our inputs takes as many
MOST_WIDGETS = 10_000  # of a page: it has some hundreds


class WebsocketFrames:
    """ASGI middleware before Streamlit's websocket."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but messages that no page sends, which are dropped, and frames that are no messages: after
        one of these the page has gone.
        """

        async def checked() -> Message:
            while True:
                event = await receive()
                if event["type"] != "websocket.receive" or is_too_large(event.get("bytes")):
                    return event
                message = message_in(event.get("bytes"))
                if message is None:
                    log.warning("A websocket sent a frame that is not a message of a page, and is closed")
                    await send({"type": "websocket.close", "code": PROTOCOL_ERROR})
                    return {"type": "websocket.disconnect", "code": PROTOCOL_ERROR}
                if is_of_a_page(message):
                    return event

        await self.app(scope, checked if scope["type"] == "websocket" else receive, send)


def is_too_large(frame: bytes | None) -> bool:
    """Whether Streamlit closes the websocket for the size of a frame: it is not read for that."""
    return frame is not None and len(frame) > st.get_option("server.maxWidgetStateSize") * 1_000_000


def message_in(frame: bytes | None) -> BackMsg | None:
    """A frame as a message; None where it is none. ``frame``: None where it holds text."""
    if frame is None:
        return None
    message = BackMsg()
    try:
        message.ParseFromString(frame)
    except DecodeError:
        return None
    return message


def is_of_a_page(message: BackMsg) -> bool:
    """Whether a page of the dashboard sends such a message."""
    n_files = len(message.file_urls_request.file_names)
    n_widgets = len(message.rerun_script.widget_states.widgets)
    return message.WhichOneof("type") in SENT and n_files <= MOST_FILES and n_widgets <= MOST_WIDGETS


_UPLOAD = re.compile(r"/_stcore/upload_file/([^/]*)")  # Streamlit's, below server.baseUrlPath
_expected: dict[str, float] = {}  # session -> when its page last showed a file input (monotonic seconds)


def expect_files() -> None:
    """Beside each ``st.file_uploader``: this session may send files."""
    context = get_script_run_ctx()
    if context is None:
        return
    now = time.monotonic()
    known = list(_expected.items())  # at once: other sessions run in threads of their own, and write meanwhile
    for session in [each for each, since in known if now - since > TOKEN_VALID_S]:
        _expected.pop(session, None)
    _expected[context.session_id] = now


def expects_files(session: str) -> bool:
    """Whether a page has shown this session a file input, not too long ago."""
    since = _expected.get(session)
    return since is not None and time.monotonic() - since <= TOKEN_VALID_S


class Uploads:
    """ASGI middleware before Streamlit's address for files: the size of each is held to server.maxUploadSize there."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a file that no page asked for, before a byte of it is read."""
        found = _UPLOAD.search(scope["path"]) if scope["type"] == "http" and scope["method"] != "OPTIONS" else None
        if found is None or expects_files(found[1]):
            await self.app(scope, receive, send)
            return
        refusal = "No page of this session asks for a file: reload the page, and sign in as a lead."
        await PlainTextResponse(refusal, status_code=403, headers={"Connection": "close"})(scope, receive, send)
