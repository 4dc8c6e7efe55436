"""What Prometheus reads: runs, the queue, workers, answers, pages, memory, the disk.

Where nobody signs in, only this machine reaches it. Else it takes the token of SLIM_METRICS_TOKEN, and without that
setting it is not there.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app import bind_address, session
from slim_core.data.files.free_space import free_bytes
from slim_core.errors import SlimError
from slim_core.settings import settings

log = logging.getLogger(__name__)


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
    store = session.whole_store()
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
    for worker in session.whole_store().workers.alive():
        named = [worker.id, worker.host, worker.device, worker.queues]
        silent.add_metric(named, worker.silent_s(now))
        memory.add_metric(named, worker.memory_mb or 0)
    yield from (silent, memory)


def _answers() -> Metric:
    kept = session.whole_store().answers.count()
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
    if bind_address.signs_in():
        token = settings().metrics_token
        if token is None:
            return PlainTextResponse("No metrics: SLIM_METRICS_TOKEN is not set.\n", status_code=404)
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            needs = {"WWW-Authenticate": "Bearer"}
            return PlainTextResponse("Metrics need the token of SLIM_METRICS_TOKEN.\n", status_code=401, headers=needs)
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
