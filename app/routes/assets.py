"""What a browser loads: the document, with our title and styles in it, and the files of each page's static folder.

Browsers find all of it below ``server.baseUrlPath``, as behind a proxy with other things, too: Streamlit puts its own
addresses there and leaves those of an app at the root, where such a proxy does not look.

A style that a page sends comes after the first elements are drawn, and everything moves when it does: ours are in the
document, as Streamlit serves it. Streamlit's own code is told there where its server is: without that, it asks at the
address of each page first, which is an error each time. Our files are compressed once, then kept.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response

from app.routes.guard import refusal
from slim_core.errors import NotFoundError
from slim_core.evaluation.charts.layout import CHOSEN, INK, RIGHT, RIGHT_TEXT, WRONG, WRONG_TEXT

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_base = ""  # or "/slim"


def serve_below(path: str) -> None:
    """Called once, before any page is imported: "slim" or "/slim/"; "" is the root."""
    global _base
    _base = f"/{inner}" if (inner := path.strip("/")) else ""


def below(path: str) -> str:
    """A path of ours, which begins with "/", as a browser asks for it."""
    return _base + path


def without(path: str) -> str:
    """A path that was asked for, as ours are written; as it is where it is of somewhere else."""
    return path.removeprefix(_base) if path.startswith(f"{_base}/") else path


APP = Path(__file__).parents[1]
PLOTLY = "plotly/plotly.min.js"  # as the package brings it
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8",
}


def static(name: str) -> Path:
    """The file of an asset, "space/plot.js" for example.

    Raises:
        NotFoundError: no page and not ui has such a file.
    """
    if name == PLOTLY:
        return _of_plotly()
    folder, _, file = name.partition("/")
    path = APP / folder / "static" / file
    if not folder.isidentifier() or Path(file).name != file or path.suffix not in _TYPES or not path.is_file():
        raise NotFoundError(f"There is no asset {name}. Reload the page.")
    return path


@lru_cache(maxsize=1)
def _of_plotly() -> Path:
    """Found without its import, which takes a tenth of a second."""
    found = find_spec("plotly")
    assert found is not None and found.origin is not None  # it is required
    return Path(found.origin).parent / "package_data" / "plotly.min.js"


def asset_url(name: str) -> str:
    """Address of an asset, with its content's hash, so that browsers may keep it for good."""
    return below(f"/assets/{name}?v={_digest(name, _stamp(name))}")


def asset(request: Request) -> Response:
    """GET /assets/{folder}/{name}: open to all, for it is the same public code for everyone."""
    name = "{folder}/{name}".format_map(request.path_params)
    try:
        stamp = _stamp(name)
        digest = _digest(name, stamp)
    except NotFoundError as error:
        return refusal(error)
    fresh = request.query_params.get("v") == digest
    headers = {
        "ETag": f'"{digest}"',
        "Content-Encoding": "gzip",
        "Vary": "Accept-Encoding",
        "Cache-Control": "public, max-age=31536000, immutable" if fresh else "no-cache",
    }
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(_zipped(name, stamp), media_type=_TYPES[Path(name).suffix], headers=headers)


def _stamp(name: str) -> int:
    return static(name).stat().st_mtime_ns


@lru_cache(maxsize=200)  # more than there are: of too few, each page would compress its own anew
def _digest(name: str, stamp: int) -> str:  # noqa: ARG001  # the stamp makes an edited file a new entry
    return hashlib.sha256(static(name).read_bytes()).hexdigest()[:16]


@lru_cache(maxsize=200)
def _zipped(name: str, stamp: int) -> bytes:  # noqa: ARG001
    return gzip.compress(static(name).read_bytes(), compresslevel=6, mtime=0)


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
        body = with_ours(self.body)
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


def with_ours(document: bytes) -> bytes:
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
