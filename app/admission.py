"""What stands between a browser and Streamlit: what is let in, and what signing in and out take beyond Streamlit's own.

Requests of known hosts, messages of pages, files that were asked for: a website can give its own name the address of
this machine (DNS rebinding), open the dashboard in a frame, or open a websocket to it from a visitor's browser. So the
Host of every request, and the Origin of every one that could change something, are checked here; also on loopback,
where nobody signs in.

Streamlit itself logs a traceback for each frame of a websocket that it cannot read, and answers messages that no page
of ours sends, all from whoever reaches the port, before they sign in: which files lie untracked in the folder of the
code, or 200 bytes for each empty name of a file, while everybody else waits. Of each widget it keeps some 700 bytes.
It takes files into memory from whoever holds a session, which is had before signing in, too: only sessions to which a
page has just shown a file input may send some, as a lead's pages do.

Signing in leads back to the page that asked for it; whoever signs out in one tab is out in all. Streamlit's own way in
ends at ``/`` and is silent about a refusal: the address is kept in a cookie of ours while the person is at the
provider. Streamlit reads the cookie of a sign-in when a page connects, and not again: in another tab of the same
browser, anybody could go on to rename, submit and delete under the name of whoever has signed out. So the pages that
are open under that sign-in are connected anew, as nobody's; also those of another dashboard process, by a stream in
the Redis that all share.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlencode, urlsplit

import streamlit as st
from google.protobuf.message import DecodeError
from redis import Redis
from redis.exceptions import RedisError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import session
from app.routes.assets import below, without
from app.session import TOKEN_VALID_S, sign_in_of
from slim_core.errors import QueueUnavailableError
from slim_core.settings import Settings, settings
from workers.local import redis_url

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\])(:[0-9]{1,5})?")  # a name or address, and a port
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
        """Refuse what does not belong here with 403; pass the rest on; both with our headers on the way back."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif (reason := refusal(scope, settings())) is None:
            await self.app(scope, receive, _protected(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": reason[:120]})
        else:
            await PlainTextResponse(reason, status_code=403)(scope, receive, _protected(send))


def refusal(scope: Scope, settings: Settings) -> str | None:
    """Why a request is refused, in a sentence; None where it is answered."""
    headers, here = Headers(scope=scope), _local_address(scope)
    if not _is_local(here) and not session.safe_beyond_this_machine(settings):
        return (
            "Sign-in is not configured; only localhost may connect: open it there, set up sign-in, or "
            "set SLIM_ALLOW_WITHOUT_SIGN_IN=true (behind a proxy that signs people in: SLIM_BEHIND_PROXY=true)."
        )
    doubled = [name for name in session.trusted_headers() if len(headers.getlist(name)) > 1]
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
    """The name of a Host header without its port: "[::1]:8501" is ::1; "" where it is anything but these two."""
    found = _HOST.fullmatch(host)
    return found[1].strip("[]").removesuffix(".").lower() if found else ""


def _is_local(here: str) -> bool:
    return here == "" or session.is_loopback(here)


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
    public = [urlsplit(url.lower()) for url in settings.public_url]
    return origin in {f"http://{host}", f"https://{host}", *(f"{each.scheme}://{each.netloc}" for each in public)}


def split_address(address: str) -> SplitResult:
    """The parts of an address that a browser has sent; of none where it cannot be read."""
    try:
        return urlsplit(address)
    except ValueError:  # half an address in brackets
        return urlsplit("")


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
    for name in [each for each, since in known if now - since > TOKEN_VALID_S]:
        _expected.pop(name, None)
    _expected[context.session_id] = now


def expects_files(name: str) -> bool:
    """Whether a page has shown the session of this name a file input, not too long ago."""
    since = _expected.get(name)
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


LOGIN, CALLBACK = "/auth/login", "/oauth2callback"  # Streamlit's
SIGNED_IN = "_streamlit_user="  # how Streamlit's cookie begins; a deleted one goes on with ""
COOKIE, VALID_S, MAX_LENGTH = "slim-return", 600, 2000
OUTCOME = "sign_in"  # in the query of the page: "refused" by the provider, or "failed"


class LoginRedirectMiddleware:
    """ASGI middleware around Streamlit's two addresses for signing in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and change the two answers on their way back."""
        path = without(scope["path"]) if scope["type"] == "http" else ""
        change = {LOGIN: _keep, CALLBACK: _go_back}.get(path)
        if change is None:
            await self.app(scope, receive, send)
            return
        request = Request(scope)

        async def changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                change(request, MutableHeaders(scope=message))
            await send(message)

        await self.app(scope, receive, changed)


def _keep(request: Request, headers: MutableHeaders) -> None:
    """The page that asks to sign in is the one the browser came from."""
    came_from = split_address(request.headers.get("Referer", ""))
    if came_from.netloc == request.headers.get("Host"):
        _set_cookie(headers, quote(_here(came_from.path, came_from.query)), VALID_S)


def _go_back(request: Request, headers: MutableHeaders) -> None:
    if "Location" not in headers or not {"code", "error"} & set(request.query_params):
        return  # a sign-out comes back this way, too
    kept = split_address(unquote(request.cookies.get(COOKIE, below("/"))))
    query = {name: values for name, values in parse_qs(kept.query).items() if name != OUTCOME}
    signed_in = any(
        one.startswith(SIGNED_IN) and not one.startswith(f'{SIGNED_IN}""') for one in headers.getlist("Set-Cookie")
    )
    if not signed_in:
        query[OUTCOME] = ["refused" if request.query_params.get("error") == "access_denied" else "failed"]
    headers["Location"] = _here(kept.path, urlencode(query, doseq=True))
    _set_cookie(headers, "", 0)


def _here(path: str, query: str) -> str:
    """An address of this dashboard: whatever was asked for, it leads nowhere else."""
    address = "/" + path.replace("\\", "/").lstrip("/") + (f"?{query}" if query else "")
    return address if len(address) <= MAX_LENGTH else below("/")


def _set_cookie(headers: MutableHeaders, value: str, max_age: int) -> None:
    made = Response()
    made.set_cookie(COOKIE, value, max_age=max_age, httponly=True, samesite="lax")
    headers.append("Set-Cookie", made.headers["Set-Cookie"])


SIGN_OUT = "/auth/logout"  # Streamlit's
GOING_AWAY = 1001  # RFC 6455, section 7.4.1; the page connects again


class SignOut:
    """ASGI middleware before Streamlit's websocket and its address for signing out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._open: defaultdict[str, list[Send]] = defaultdict(list)  # sign-in -> its pages; "": those of nobody
        self._of_all, self._is_followed = SignOuts(), False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and remember which pages are open."""
        if scope["type"] == "websocket":
            await self._page(_sign_in_in(scope), scope, receive, send)
            return
        await self.app(scope, receive, send)
        if scope["type"] == "lifespan":
            self._of_all.end()
        elif scope["type"] == "http" and without(scope["path"]) == SIGN_OUT and (sign_in := _sign_in_in(scope)):
            await self._end(sign_in)  # the answer has removed the cookie
            await asyncio.to_thread(self._of_all.tell, sign_in)

    async def _page(self, sign_in: str, scope: Scope, receive: Receive, send: Send) -> None:
        if sign_in:
            self._follow()
        self._open[sign_in].append(send)
        try:
            await self.app(scope, receive, send)
        finally:
            self._open[sign_in].remove(send)
            if not self._open[sign_in]:
                del self._open[sign_in]

    def _follow(self) -> None:
        """From the first page of somebody on, end the pages of whoever signs out at another dashboard."""
        if self._is_followed:
            return
        self._is_followed, loop = True, asyncio.get_running_loop()

        def signed_out(sign_in: str) -> None:
            with suppress(RuntimeError):  # the loop has ended, and its pages with it
                asyncio.run_coroutine_threadsafe(self._end(sign_in), loop)

        threading.Thread(target=self._of_all.follow, args=(signed_out,), name="sign-outs", daemon=True).start()

    async def _end(self, sign_in: str) -> None:
        for page in list(self._open.get(sign_in, ())):
            with suppress(OSError, RuntimeError):  # it has gone meanwhile, as the tab of the press itself does
                await page({"type": "websocket.close", "code": GOING_AWAY})


def _sign_in_in(scope: Scope) -> str:
    return sign_in_of(HTTPConnection(scope).cookies)


STREAM = "slim:sign-outs"
KEPT = 1_000  # of the last ones, about
WAIT_S = 3.0  # for the next one, in one request
AGAIN_S = 5.0  # until Redis is asked again that has not answered
BEFORE_S = 60.0  # of those before the start, as clocks differ: ending the pages of a sign-in that is over harms nobody
_AWAY = (RedisError, OSError, QueueUnavailableError)


class SignOuts:
    """Those of all dashboards. A sign-in is the digest of its cookie (``session.sign_in_of``), which opens nothing."""

    def __init__(self) -> None:
        self._last = f"{int((time.time() - BEFORE_S) * 1000)}-0"  # known of the stream; its ids are milliseconds
        self._untold: deque[str] = deque()
        self._lock, self._over = threading.Lock(), threading.Event()
        self._connection: tuple[str, Redis] | None = None

    def tell(self, sign_in: str) -> None:
        """Tell all dashboards now; where Redis is away, once it is back, as long as ``follow`` runs."""
        self._untold.append(sign_in)
        try:
            self._tell_all(self._redis())
        except _AWAY as error:
            log.warning("Other dashboards do not know yet that somebody has signed out: %s", error)

    def follow(self, signed_out: Callable[[str], None]) -> None:
        """Call ``signed_out`` with each sign-in that ends, here or elsewhere, until ``end`` is called."""
        while not self._over.is_set():
            try:
                for sign_in in self._next(self._redis()):
                    signed_out(sign_in)
            except _AWAY:  # the pages say so where it matters
                self._over.wait(AGAIN_S)

    def end(self) -> None:
        """Let ``follow`` return within WAIT_S."""
        self._over.set()

    def _next(self, redis: Redis) -> list[str]:
        self._tell_all(redis)
        found: list[str] = []
        added: Any = redis.xread({STREAM: self._last}, block=int(WAIT_S * 1000))
        for _, entries in added or ():
            for self._last, fields in entries:
                found += [value.decode(errors="replace") for name, value in fields.items() if name == b"sign_in"]
        return found

    def _tell_all(self, redis: Redis) -> None:
        with self._lock:
            while self._untold:
                redis.xadd(STREAM, {"sign_in": self._untold[0]}, maxlen=KEPT)
                self._untold.popleft()

    def _redis(self) -> Redis:
        url = redis_url(settings())
        if self._connection is None or self._connection[0] != url:
            self._connection = (url, Redis.from_url(url, socket_timeout=WAIT_S + 2, socket_connect_timeout=2.0))
        return self._connection[1]
