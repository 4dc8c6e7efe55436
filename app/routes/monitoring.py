"""Whether the server lives and can serve, for a proxy, a container's check, an alarm; and what Prometheus reads.

The first two answer without a token and say no more than that: which file, which address and why stand in the log.
Metrics: where nobody signs in, only this machine reaches them. Else they take the token of SLIM_METRICS_TOKEN, and
without that setting they are not there.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Lock

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from app import session
from slim_core.errors import SlimError
from slim_core.result_files import can_write, free_bytes
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
                    self._known = {"database": _database(), "redis": _redis(), "disk": _disk_state()}
                    self._tick = int(time.monotonic() // ASKED_AGAIN_S)
            finally:
                self._looks.release()
        return self._known


_latest = _Latest()


def _database() -> str:
    try:
        session.store().members.all()
    except SlimError as error:
        log.warning("Not ready: %s", error)
        return AWAY
    return OK


def _redis() -> str:
    try:
        silence = session.queue().silence()
    except SlimError as error:  # the queue opens the database
        silence = str(error)
    if silence:
        log.info("Without a queue: %s", silence)
    return AWAY if silence else OK


def _disk_state() -> str:
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


class Installation:
    """The state of the database and the disk, read anew at each scrape."""

    def collect(self) -> Iterator[Metric]:
        """The gauges; those of the database only where it answers."""
        try:
            found = [*_runs(), *_workers(), _answers()]
        except SlimError as error:
            log.warning("Metrics without the database: %s", error)
            found = []
        yield GaugeMetricFamily("slim_database_up", "1 where the database answers", value=bool(found))
        yield from found
        yield from _disk()


def _runs() -> Iterator[Metric]:
    store = session.store()
    runs = GaugeMetricFamily("slim_runs", "Runs by state", labels=["status"])
    for status, n in store.runs.counts().items():
        runs.add_metric([status], n)
    waiting = GaugeMetricFamily("slim_queue_waiting", "Runs that wait for a worker", labels=["queue", "processes"])
    for (queue, processes), n in store.queue.count_waiting().items():
        waiting.add_metric([queue, str(processes)], n)
    paused = store.queue.paused() is not None
    yield from (runs, waiting, GaugeMetricFamily("slim_queue_paused", "1 while the queue is paused", value=paused))


def _workers() -> Iterator[Metric]:
    now, labels = datetime.now(UTC), ["worker", "host", "device", "queues"]
    silent = GaugeMetricFamily("slim_worker_silent_seconds", "Since the last heartbeat of a worker", labels=labels)
    memory = GaugeMetricFamily("slim_worker_memory_megabytes", "Of a worker's process", labels=labels)
    for worker in session.store().workers.alive():
        named = [worker.id, worker.host, worker.device, worker.queues]
        silent.add_metric(named, worker.silent_s(now))
        memory.add_metric(named, worker.memory_mb or 0)
    yield from (silent, memory)


def _answers() -> Metric:
    kept = session.store().answers.count()
    return GaugeMetricFamily("slim_answers", "Answers, with those that were changed later", value=kept)


def _disk() -> Iterator[Metric]:
    free = free_bytes(settings().home)
    if free is not None:
        yield GaugeMetricFamily("slim_disk_free_bytes", "On the disk of SLIM_HOME", value=free)


REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
REGISTRY.register(Installation())
PAGE_SECONDS = Histogram("slim_page_seconds", "One run of a page's script", ["page"], registry=REGISTRY)
ROUTE_SECONDS = Histogram(
    "slim_route_seconds", "One request, from its headers to its response", ["route"], registry=REGISTRY,
    buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0),
)  # fmt: skip


def metrics(request: Request) -> Response:
    """GET /metrics: the text format of Prometheus; 404 where it is not set up, 401 without its token."""
    if session.signs_in():
        token = settings().metrics_token
        if token is None:
            return PlainTextResponse("No metrics: SLIM_METRICS_TOKEN is not set.\n", status_code=404)
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            needs = {"WWW-Authenticate": "Bearer"}
            return PlainTextResponse("Metrics need the token of SLIM_METRICS_TOKEN.\n", status_code=401, headers=needs)
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
