"""Signing in leads back to the page that asked for it; whoever signs out in one tab is out in all.

Streamlit's own way in ends at ``/`` and is silent about a refusal: the address is kept in a cookie of ours while the
person is at the provider. Streamlit reads the cookie of a sign-in when a page connects, and not again: in another tab
of the same browser, anybody could go on to rename, submit and delete under the name of whoever has signed out. So the
pages that are open under that sign-in are connected anew, as nobody's; also those of another dashboard process, by a
stream in the Redis that all share.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlencode

from redis import Redis
from redis.exceptions import RedisError
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from app.access import sign_in_of
from app.admission import split_address
from app.routes.assets import below, without
from slim_core.errors import QueueUnavailableError
from slim_core.settings import settings
from workers.local import redis_url

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

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

log = logging.getLogger(__name__)


class SignOuts:
    """Those of all dashboards. A sign-in is the digest of its cookie (``access.sign_in_of``), which opens nothing."""

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
