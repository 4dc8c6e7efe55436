"""The document a visit begins with, as Streamlit serves it, under our title and with our styles in it.

A style that a page sends comes after the first elements are drawn, and everything moves when it does. Streamlit's own
code is told where its server is: without that, it asks at the address of each page first, which is an error each time.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from app.routes.assets import static
from app.routes.base_path import below
from slim_core.evaluation.charts.palette import CHOSEN, INK, RIGHT, RIGHT_TEXT, WRONG, WRONG_TEXT

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TITLE = "SLIM Studio"
# What st.html draws has its style here, once, instead of in each piece that is sent.
SHEETS = ("ui/page.css", "ui/pictures.css", "annotate/effect.css", "space/counts.css")
SCRIPTS = ("ui/address.js", "ui/popover.js")
COLOURS = {  # of charts, as --slim-right and so on; those of text by the theme
    "right": f"light-dark({RIGHT_TEXT}, {RIGHT})",
    "wrong": f"light-dark({WRONG_TEXT}, {WRONG})",
    "chosen": CHOSEN,
    "ink": INK,
}
# A kept copy without our style must not be confirmed, and one with it not taken for Streamlit's own.
_ASKED = (b"if-none-match", b"if-modified-since", b"accept-encoding", b"range")
_GIVEN = ("etag", "last-modified", "accept-ranges")


class IndexHtmlMiddleware:
    """ASGI middleware around the documents that a browser opens."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and add to a document on its way back."""
        asked = scope["type"] == "http" and scope["method"] == "GET" and _is_html("accept", Headers(scope=scope))
        if not asked:
            await self.app(scope, receive, send)
            return
        kept = [(name, value) for name, value in scope["headers"] if name not in _ASKED]
        await self.app({**scope, "headers": kept}, receive, _Adding(send))


class _Adding:
    """``send`` that holds a document back until it is whole."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.start: Message | None = None
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_document(Headers(raw=message["headers"])):
            self.start = message
        elif self.start is None or message["type"] != "http.response.body":
            await self.send(message)
        else:
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                await self._finish(self.start)

    async def _finish(self, start: Message) -> None:
        body = added(self.body)
        headers = MutableHeaders(scope=start)
        for name in _GIVEN:
            del headers[name]
        headers["content-length"] = str(len(body))
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})


def _is_document(headers: Headers) -> bool:
    """Whether a browser shows the response as a page: a report that is downloaded stays as it is."""
    return _is_html("content-type", headers) and not headers.get("content-disposition", "").startswith("attachment")


def _is_html(name: str, headers: Headers) -> bool:
    """Whether this header names HTML."""
    return "text/html" in headers.get(name, "")


def added(document: bytes) -> bytes:
    """The document with our title and script, and our style at the end of its body: after Streamlit's, so it holds."""
    titled = document.replace(b"<title>Streamlit</title>", f"<title>{TITLE}</title>".encode() + _script(), 1)
    return titled.replace(b"</body>", _style() + b"</body>", 1)


@lru_cache(maxsize=1)
def _script() -> bytes:
    """Before any other: where the server is, and what the files of SCRIPTS do."""
    path = json.dumps(below("") or "/")
    server = f"window.__streamlit = {{BACKEND_BASE_URL: location.origin + {path}}};"
    scripts = "\n".join(static(script).read_text() for script in SCRIPTS)
    return f"<script>{server}\n{scripts}</script>".encode()


@lru_cache(maxsize=1)
def _style() -> bytes:
    colours = "".join(f"--slim-{name}: {colour};" for name, colour in COLOURS.items())
    sheets = "".join(static(sheet).read_text() for sheet in SHEETS)
    return f"<style>:root {{{colours}}}\n{sheets}</style>".encode()
