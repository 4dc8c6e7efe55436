"""The overview's second address: Streamlit knows its default page as / alone, and says /overview is not found."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.routes.base_path import below


def overview(request: Request) -> Response:
    """GET /overview: to /, with what was asked of it (?dataset=...)."""
    query = request.url.query
    return RedirectResponse(below(f"/?{query}" if query else "/"), status_code=307)
