"""Who signs out in one tab is out in all: the pages that are open under that sign-in are connected anew, as nobody's.

Streamlit reads the cookie when a page connects, and not again: in another tab of the same browser, anybody could go on
to rename, submit and delete under the name of whoever has signed out. The tab may be of another dashboard process,
behind the same proxy.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from app.access import sign_in_of
from app.routes.base_path import without
from app.services.sign_outs import SignOuts

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

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
            await self._page(_sign_in(scope), scope, receive, send)
            return
        await self.app(scope, receive, send)
        if scope["type"] == "lifespan":
            self._of_all.end()
        elif scope["type"] == "http" and without(scope["path"]) == SIGN_OUT and (sign_in := _sign_in(scope)):
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


def _sign_in(scope: Scope) -> str:
    return sign_in_of(HTTPConnection(scope).cookies)
