"""What every guarded route shares: the token, the role, work off the event loop, and errors as one JSON sentence."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import session
from app.routes.monitoring import ROUTE_SECONDS
from app.session import TokenRefusedError, Viewer
from slim_core.errors import ConflictError, ForbiddenError, NotFoundError, QueueUnavailableError, SlimError
from slim_core.store.database import StoreUnavailableError, disk_error
from slim_core.store.members import Members, Role

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1_000_000
BODY_S = 15.0  # how long a body may take to arrive
ROLE_KEPT_S = 5.0  # a role that was taken away still shows images for so long


class RequestTooSlowError(SlimError):
    """The body of a request did not arrive in time."""


_STATUS: tuple[tuple[type[SlimError], int], ...] = (
    (TokenRefusedError, 401),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (RequestTooSlowError, 408),
    (ConflictError, 409),
    (QueueUnavailableError, 503),
    (StoreUnavailableError, 503),
    (SlimError, 400),
)

Handler = Callable[[Request, Viewer, dict[str, Any]], Response]


def guarded(role: Role) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """Make a handler a route: called in a thread with (request, viewer, JSON body), for role or above."""

    def decorate(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        seconds = ROUTE_SECONDS.labels(_name(handler))

        @functools.wraps(handler)
        async def endpoint(request: Request) -> Response:
            with seconds.time():
                return await answered(request)

        async def answered(request: Request) -> Response:
            viewer = None
            try:
                viewer = _viewer(request)
                body = await _body(request)
                return await run_in_threadpool(_answer, handler, request, viewer, role, body)
            except SlimError as error:
                return refusal(error, viewer)
            except OSError as error:
                log.warning("A route met a disk that is away or full", exc_info=True)
                return _in_words(disk_error(error), viewer)

        return endpoint

    return decorate


def _name(handler: Handler) -> str:
    """The name of a route in the metrics: "annotate.answers"."""
    return ".".join([one for one in handler.__module__.split(".") if one not in ("app", "routes")] + [handler.__name__])


def _answer(handler: Handler, request: Request, viewer: Viewer, role: Role, body: dict[str, Any]) -> Response:
    with session.reading_as(viewer):
        return handler(request, _as_of_now(viewer, role, request), body)


def _as_of_now(viewer: Viewer, role: Role, request: Request) -> Viewer:
    """The ticket's viewer with today's role: looked up at each write, and every few seconds for what is only read.

    Raises:
        ForbiddenError: they are no ``role``.
        TokenRefusedError: the ticket is of a higher role, which was taken away: it gives access to nothing.
    """
    now = viewer
    if session.signs_in():
        members, tick = session.store().members, int(time.monotonic() // ROLE_KEPT_S)
        found = members.role(viewer.name) if request.method == "POST" else _role(members, viewer.name, tick)
        now = replace(viewer, role=found or "viewer")
    now.require(role)
    if now.role == "viewer" != viewer.role:
        raise TokenRefusedError("Your role has changed since this page was loaded. Reload the page.")
    return now


@lru_cache(maxsize=1_000)
def _role(members: Members, name: str, tick: int) -> Role | None:  # noqa: ARG001  # the next tick is a new entry
    return members.role(name)


def refusal(error: SlimError, viewer: Viewer | None = None) -> JSONResponse:
    """An error as its sentence, as this viewer may read it, under the status that fits its kind."""
    if isinstance(error, StoreUnavailableError):
        log.warning("A route could not answer: %s", error)  # with the place, for whoever runs the server
    return _in_words(error, viewer)


def _in_words(error: SlimError, viewer: Viewer | None) -> JSONResponse:
    status = next(code for kind, code in _STATUS if isinstance(error, kind))
    text = session.sentence_for(viewer, error)
    sentence = text.encode("utf-8", "backslashreplace").decode()  # it may quote half a letter
    close = {"Connection": "close"} if isinstance(error, RequestTooSlowError) else None  # the rest will not be read
    return JSONResponse({"error": sentence}, status_code=status, headers=close)


def _viewer(request: Request) -> Viewer:
    """Whose ticket this is, where it comes from the browser it was signed for.

    Raises:
        TokenRefusedError: as ``session.verify``, or the proxy names another person.
    """
    viewer = session.verify(_token(request), session.sign_in_of(request.cookies))
    if not session.is_named_by_proxy(viewer, request.headers):
        raise TokenRefusedError("The token of this page is another person's. Reload the page.")
    return viewer


def _token(request: Request) -> str:
    given = request.headers.get(session.TOKEN_HEADER, "")
    if not given and request.method == "GET":  # images have no headers of their own; a form elsewhere cannot POST
        given = request.query_params.get("token", "")
    return given


async def _body(request: Request) -> dict[str, Any]:
    if request.method != "POST":
        return {}
    try:
        async with asyncio.timeout(BODY_S):
            data = await _read(request)
    except TimeoutError as error:
        raise RequestTooSlowError(f"The request did not arrive within {BODY_S:.0f} s: send it again.") from error
    try:
        body = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:  # RecursionError: lists in lists, thousands deep
        raise SlimError("The request is not JSON: reload the page.") from error
    if not isinstance(body, dict):
        raise SlimError("The request is not a JSON object: reload the page.")
    return body


async def _read(request: Request) -> bytes:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            raise SlimError(f"The request is larger than {MAX_BODY_BYTES:,} bytes: send fewer answers at once.")
    return data


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def tagged(request: Request, etag: str, make: Callable[[], tuple[bytes, str]], *, immutable: bool = True) -> Response:
    """304 where the browser has this version already, else the content; private.

    ``immutable``: under its URL it is always the same; else the browser asks each time whether it still is.
    """
    keep = "private, max-age=86400, immutable" if immutable else "private, no-cache"
    headers = {"ETag": f'"{etag}"', "Cache-Control": keep}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    content, media_type = make()
    return Response(content, media_type=media_type, headers=headers)
