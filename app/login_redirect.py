"""Signing in leads back to the page that asked for it; where it fails, that page says so.

Streamlit's own way ends at ``/`` and is silent about a refusal. This middleware keeps the address in a cookie of its
own while the person is at the provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response

from app.known_hosts import split_address
from app.routes.base_path import below, without

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
