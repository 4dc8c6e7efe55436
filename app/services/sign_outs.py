"""Who signs out at one dashboard is out at all that share its Redis: a stream there, which each of them follows.

Following is one request that waits for the next sign-out, however many pages are open; a stream, unlike a channel,
still has what was added while Redis or the network was away.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from slim_core.errors import QueueUnavailableError
from slim_core.settings import settings
from workers.local import redis_url

STREAM = "slim:sign-outs"
KEPT = 1_000  # of the last ones, about
WAIT_S = 3.0  # for the next one, in one request
AGAIN_S = 5.0  # until Redis is asked again that has not answered
BEFORE_S = 60.0  # of those before the start, as clocks differ: ending the pages of a sign-in that is over harms nobody
_AWAY = (RedisError, OSError, QueueUnavailableError)

log = logging.getLogger(__name__)


class SignOuts:
    """Those of all dashboards. A sign-in is the digest of its cookie (``access.sign_in_of``), which opens nothing."""

    def __init__(self) -> None:
        self._last = f"{int((time.time() - BEFORE_S) * 1000)}-0"  # known of the stream; its ids are milliseconds
        self._untold: deque[str] = deque()
        self._lock, self._over = threading.Lock(), threading.Event()
        self._connection: tuple[str, Redis] | None = None

    def tell(self, sign_in: str) -> None:
        """Tell all dashboards now; where Redis is away, once it is back, as long as ``follow`` runs."""
        self._untold.append(sign_in)
        try:
            self._tell_all(self._redis())
        except _AWAY as error:
            log.warning("Other dashboards do not know yet that somebody has signed out: %s", error)

    def follow(self, signed_out: Callable[[str], None]) -> None:
        """Call ``signed_out`` with each sign-in that ends, here or elsewhere, until ``end`` is called."""
        while not self._over.is_set():
            try:
                for sign_in in self._next(self._redis()):
                    signed_out(sign_in)
            except _AWAY:  # the pages say so where it matters
                self._over.wait(AGAIN_S)

    def end(self) -> None:
        """Let ``follow`` return within WAIT_S."""
        self._over.set()

    def _next(self, redis: Redis) -> list[str]:
        self._tell_all(redis)
        found: list[str] = []
        added: Any = redis.xread({STREAM: self._last}, block=int(WAIT_S * 1000))
        for _, entries in added or ():
            for self._last, fields in entries:
                found += [value.decode(errors="replace") for name, value in fields.items() if name == b"sign_in"]
        return found

    def _tell_all(self, redis: Redis) -> None:
        with self._lock:
            while self._untold:
                redis.xadd(STREAM, {"sign_in": self._untold[0]}, maxlen=KEPT)
                self._untold.popleft()

    def _redis(self) -> Redis:
        url = redis_url(settings())
        if self._connection is None or self._connection[0] != url:
            self._connection = (url, Redis.from_url(url, socket_timeout=WAIT_S + 2, socket_connect_timeout=2.0))
        return self._connection[1]
