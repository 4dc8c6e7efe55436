"""The server of the dashboard: its routes beside Streamlit's own, and what starts and ends with it.

Every route but /assets, /healthz, /readyz, /metrics and /overview needs a token signed by a page (``session.token()``):
``?token=`` on GET, or the header ``X-Slim-Token``, which is the only way on POST. Errors are JSON
``{"error": "<one sentence>"}`` with 400, 401 (token), 403 (role), 404, 408 (a body that takes too long), 409 or 503.
All of them are served at the root and below ``server.baseUrlPath``, which Streamlit's own are below alone.

GET  /api/image/{dataset}/{row}?size=96&kind=image|whole|overlay|heat|veil|mask|contour&run=<gradcam run>
     &map_of=label|predicted|<class>&opacity=0.5   -> WebP or JPEG, ETag; ``run`` where kind is overlay, heat, veil or
     contour; size: longer side, 16..1024 px
GET  /api/points/{run}/{name}.bin  -> little-endian float32 of an artifact <name>.npy of the run, column by
     column: for (n, 2) arrays n x values, then n y values; integers are sent as float32; ETag, immutable
GET  /api/points/{run}/at/{position}  -> {"row", "title", "group", "correct", "facts"} of one point of a space
GET  /api/export/{run or campaign}/{form}  -> the file of that form (slim_core.export.writing), or all as a zip
POST /api/next     {"campaign", "session", "n", "was"?: [sessions], "after"?, "guess"?}
     -> {"items": [{"id", "row", "position", "label", "prediction", "confidence", "empty", "guess", "guideline"}],
     "progress": {"total", "done", "answered", "held": [{"who", "n", "seconds", "you"}]}}; 409 with "closed": true
     where the campaign takes no answers; the session's leases are renewed
POST /api/answers  {"campaign", "session"?, "answers": [{"id", "item", "value": 1|0|3|2|-1|null, "seen", "ms",
     "skip"?}]} -> {"ids", "over_quota", "lost", "unknown"}   (an id sent twice is kept once; value 3 = partly,
     2 = empty, null = undo; over_quota: kept, not counted; unknown: about images that the campaign does not ask about,
     not kept)
POST /api/given    {"campaign", "n", "before"?} -> {"given": [an item with "value" and "seq"]}, the annotator's own
POST /api/release  {"campaign", "session"} -> {}   (all four need the role annotator, checked anew at each call)
POST /api/shapes/image {"dataset", "row"} -> {"row", "width", "height", "label", "group", "masked", "polygons", "seq",
     "by"}: an image to draw on, and what is drawn on it
POST /api/shapes   {"dataset", "row", "polygons": [[[x, y], ...], ...], "id", "after", "split"}
     -> {"seq", "overtaken": null or who drew meanwhile, "progress"}   (both need the role annotator)
GET  /metrics -> the text format of Prometheus, by a token of its own (app.routes.monitoring)
GET  /healthz -> 200 while the process answers; GET /readyz -> {"ready", "database", "redis", "disk"}, 200 or 503
GET  /overview -> /, with its query: Streamlit knows its first page by / alone
Any other address below /api and /assets -> 404.
GET  /assets/{folder}/{name} -> a file of app/{folder}/static, or plotly.js of its package; gzipped once;
     immutable under ``?v=<hash>`` (asset_url)
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import streamlit as st
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from app import connections, gc_freeze
from app.admission import KnownHosts, LoginRedirectMiddleware, SignOut, Uploads, WebsocketFrames
from app.annotate import routes
from app.draw import routes as draw
from app.routes import assets, exports, images, monitoring
from app.routes.assets import IndexHtmlMiddleware, below
from app.routes.guard import refusal
from app.session import require_safe_address
from app.space import routes as points
from slim_core.errors import NotFoundError, SlimError, quoted
from slim_core.settings import settings
from slim_core.store.database import make_folder


async def unknown(request: Request) -> Response:
    """404 in a sentence."""
    return refusal(NotFoundError(f"There is no {request.method} {quoted(request.url.path)}: see app/server.py."))


def overview(request: Request) -> Response:
    """GET /overview: to /, with what was asked of it (?dataset=...)."""
    query = request.url.query
    return RedirectResponse(below(f"/?{query}" if query else "/"), status_code=307)


class _Number(IntegerConvertor):
    """The number of a row or a point: Python refuses to read a number of 5,000 digits."""

    regex = "[0-9]{1,18}"


register_url_convertor("number", _Number())
_EVERY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE"]
ROUTES = [
    Route("/api/image/{dataset}/{row:number}", images.image, methods=["GET"]),
    Route("/api/export/{of}/{form}", exports.export, methods=["GET"]),
    Route("/api/points/{run}/{name}.bin", points.points, methods=["GET"]),
    Route("/api/points/{run}/at/{position:number}", points.point, methods=["GET"]),
    Route("/api/next", routes.upcoming, methods=["POST"]),
    Route("/api/answers", routes.answers, methods=["POST"]),
    Route("/api/given", routes.given, methods=["POST"]),
    Route("/api/release", routes.release, methods=["POST"]),
    Route("/api/shapes/image", draw.image, methods=["POST"]),
    Route("/api/shapes", draw.shapes, methods=["POST"]),
    Route("/assets/{folder}/{name}", assets.asset, methods=["GET"]),
    Route("/api/{path:path}", unknown, methods=_EVERY_METHOD),
    Route("/assets/{path:path}", unknown, methods=_EVERY_METHOD),
    Route("/healthz", monitoring.healthz, methods=["GET"]),
    Route("/readyz", monitoring.readyz, methods=["GET"]),
    Route("/metrics", monitoring.metrics, methods=["GET"]),
    Route("/overview", overview, methods=["GET"]),
]


def served() -> list[Route]:
    """All of ROUTES: at the root, where probes look, and below the path where browsers do."""
    assets.serve_below(str(st.get_option("server.baseUrlPath") or ""))
    if assets.below("") == "":
        return ROUTES
    return [*ROUTES, *(Route(assets.below(one.path), one.endpoint, methods=one.methods) for one in ROUTES)]


REFUSED = 2  # exit code, as of the command line
MIDDLEWARE = [
    Middleware(each)
    for each in (KnownHosts, WebsocketFrames, Uploads, LoginRedirectMiddleware, SignOut, IndexHtmlMiddleware)
]


def require_startable() -> None:
    """End here with one sentence, where others could reach a dashboard without sign-in, or a setting is wrong.

    So it is where the home cannot be written: no page and no worker could do anything.
    """
    try:
        require_safe_address(settings())
        make_folder(settings().home)
    except SlimError as error:
        sys.stderr.write(f"{error}\n")  # Streamlit has not set up its log yet
        raise SystemExit(REFUSED) from None


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:  # noqa: ARG001  # Starlette passes the app
    """Start Redis and a worker in the embedded mode, end them with the server."""
    connections.raise_file_limit()
    connections.say_once_a_minute(asyncio.get_running_loop())
    from workers.local import EmbeddedServices

    services = EmbeddedServices(settings()) if settings().embedded else None
    if services is not None:
        services.start(wait=False)  # the pages come up at once, and say so where Redis does not
    gc_freeze.warm_up()
    gc_freeze.freeze()
    try:
        yield {}
    finally:
        if services is not None:
            services.stop()
