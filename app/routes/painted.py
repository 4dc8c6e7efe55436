"""The browser's word that it has painted a page."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import deferred_charts
from app.access import Viewer
from app.routes.guard import guarded


@guarded("viewer")
def painted(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/painted {"page"}: what the page's run has held back until now is sent."""
    deferred_charts.mark_painted(str(body.get("page")))
    return JSONResponse({})
