"""Whether the server lives, and whether it can serve: for a proxy, a container's health check, an alarm.

Both answer without a token and say no more than that: which file, which address and why stand in the log.
"""

from __future__ import annotations

import logging
import time
from threading import Lock

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import session
from slim_core.data.files.free_space import can_write, free_bytes
from slim_core.errors import SlimError
from slim_core.settings import settings

log = logging.getLogger(__name__)

ASKED_AGAIN_S = 2.0  # whoever asks more often is told the same: anybody may ask
LEAST_FREE = 200 * 2**20  # bytes on the disk of SLIM_HOME, below which runs and answers begin to fail
OK, AWAY, FULL = "ok", "unavailable", "full"


async def healthz(request: Request) -> Response:  # noqa: ARG001
    """GET /healthz: 200 while the process answers, whatever else is away."""
    return JSONResponse({"status": OK})


def readyz(request: Request) -> Response:  # noqa: ARG001  # in a thread: Starlette runs what is not async so
    """GET /readyz: 200 where the database answers and the disk has room, else 503; and how each of the three is.

    Redis is told and does not count: without it pages and answers work, and runs wait in the database.
    """
    found = _latest.found()
    ready = found["database"] == OK and found["disk"] == OK
    return JSONResponse({"ready": ready, **found}, status_code=200 if ready else 503)


class _Latest:
    """What was found last. One looks anew, and whoever asks meanwhile is told that: else those who ask while Redis does
    not answer would keep all threads of the routes waiting for it.
    """

    def __init__(self) -> None:
        self._looks, self._known, self._tick = Lock(), dict[str, str](), -1

    def found(self) -> dict[str, str]:
        """As it was ASKED_AGAIN_S ago at most, or while it is looked up at the look before; the first is waited for."""
        tick = int(time.monotonic() // ASKED_AGAIN_S)
        if tick != self._tick and self._looks.acquire(blocking=not self._known):
            try:
                if tick != self._tick or not self._known:
                    self._known = {"database": _database(), "redis": _redis(), "disk": _disk()}
                    self._tick = int(time.monotonic() // ASKED_AGAIN_S)
            finally:
                self._looks.release()
        return self._known


_latest = _Latest()


def _database() -> str:
    try:
        session.whole_store().members.all()
    except SlimError as error:
        log.warning("Not ready: %s", error)
        return AWAY
    return OK


def _redis() -> str:
    try:
        silence = session.whole_queue().silence()
    except SlimError as error:  # the queue opens the database
        silence = str(error)
    if silence:
        log.info("Without a queue: %s", silence)
    return AWAY if silence else OK


def _disk() -> str:
    """By its figure, where the file system gives one; else by whether it takes a file, which a folder that is gone, or
    may not be written, does not.
    """
    home = settings().home
    free = free_bytes(home)
    if free is None and not can_write(home):
        log.warning("Not ready: %s takes no file", home)
        return AWAY
    if free is None or free >= LEAST_FREE:
        return OK
    log.warning("Not ready: %.0f MB are left on the disk of %s", free / 2**20, home)
    return FULL
