"""What is asked for below /api and /assets and is not there: Streamlit would answer with a page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from app.routes.guard import refusal
from slim_core.errors import NotFoundError, quoted


async def unknown(request: Request) -> Response:
    """404 in a sentence."""
    return refusal(NotFoundError(f"There is no {request.method} {quoted(request.url.path)}: see app/server.py."))
