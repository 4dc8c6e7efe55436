"""The queue as the dashboard and the command line see it: submit, stop, retry, look.

The database owns the state of a run; Redis only carries its id to a worker. So a run that Redis refuses now is not
lost: it stays queued in the database, and a worker service puts it into Redis as soon as that answers again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import rq
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from slim_core.errors import QueueUnavailableError
from slim_core.settings import Settings
from slim_core.settings import settings as settings_of_environment
from slim_core.steps.specs import Spec
from slim_core.store import Run, Store, Worker
from slim_core.workbench import POLL_S, finished
from workers.job import RUN_STEP, StepJob
from workers.local import redis_url

log = logging.getLogger(__name__)

QUEUES = ("gpu", "cpu")
SERIALIZER = "json"
_RESULT_TTL_S = 600
_FAILURE_TTL_S = 24 * 3600


def connect(url: str, *, timeout_s: float = 5.0) -> Redis:
    """A client that gives up soon, so that a page never hangs on a Redis that has gone."""
    retry = Retry(ExponentialBackoff(cap=0.2, base=0.05), 2)
    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=2.0, retry=retry)


def rq_queue(name: str, connection: Redis) -> rq.Queue:
    """The RQ queue of this name, which holds nothing but our jobs as JSON."""
    return rq.Queue(name, connection=connection, serializer=SERIALIZER, job_class=StepJob)


def job_id(run: Run) -> str:
    """Id of the job that starts the run's next attempt; the same run waiting again gets another one."""
    return f"{run.id}-{run.attempt + 1}"


@dataclass(frozen=True)
class QueueView:
    """What the jobs page shows beside the runs themselves."""

    available: bool  # whether Redis answers
    message: str | None  # what to do where it does not
    waiting: dict[str, list[str]]  # queue -> run ids in the order workers will take them
    workers: list[Worker]  # those whose heartbeat is not older than a minute
    counts: dict[str, int]  # runs by status, from the database

    def position(self, run_id: str) -> int | None:
        """Place of a run in its queue, from 1; None when it is not waiting in Redis."""
        for ids in self.waiting.values():
            if run_id in ids:
                return ids.index(run_id) + 1
        return None


class Queue:
    """Submits runs to the workers. Cheap to make; connects when first used."""

    def __init__(self, settings: Settings | None = None, store: Store | None = None) -> None:
        self.settings = settings or settings_of_environment()
        self.store = store or Store.open(self.settings)
        self._connection: tuple[str, Redis] | None = None

    def submit(self, run: Run) -> None:
        """Hand a queued run and its shards to the workers; what waits for a parent goes in later by a worker service.

        Raises:
            QueueUnavailableError: Redis does not answer. The run stays queued and goes in later by itself.
        """
        for each in (*self.store.runs.shards(run.id), run):
            if each.status == "queued" and self.ready(each):
                with self._redis(f"Run {run.id} is saved and starts by itself once the queue is back") as redis:
                    push(each, redis, self.settings.job_timeout_s)

    def ready(self, run: Run) -> bool:
        """Whether all parents of a run are done."""
        return not self.store.runs.waiting_for(run.id)

    def stop(self, run_id: str, by: str = "local") -> Run:
        """Cancel a queued run at once; ask a running one to stop, which it does within seconds, else is killed."""
        before = [self.store.runs.fetch(run_id), *self.store.runs.shards(run_id)]
        run = self.store.runs.request_stop(run_id, by)
        for each in before:
            if each.status == "queued":
                self._forget(each)
        return run

    def retry(self, run_id: str, by: str = "local") -> Run:
        """Queue a failed or canceled run again; it goes on from its last checkpoint.

        Raises:
            ConflictError: the run is neither.
            QueueUnavailableError: Redis does not answer; the run goes in later by itself.
        """
        run = self.store.runs.retry(run_id, by)
        self.submit(run)
        return run

    def look(self) -> QueueView:
        """What waits and who works, by reading only. Never raises because Redis is gone: it says so."""
        waiting: dict[str, list[str]] = {name: [] for name in QUEUES}
        message = None
        try:
            with self._redis("The runs below are kept") as redis:
                waiting = {name: [_run_id(job) for job in waiting_jobs(name, redis)] for name in QUEUES}
        except QueueUnavailableError as error:
            message = str(error)
        return QueueView(message is None, message, waiting, self.store.workers.alive(), self.store.runs.counts())

    def waiting(self) -> set[str]:
        """Ids of the jobs that wait in Redis.

        Raises:
            QueueUnavailableError: Redis does not answer.
        """
        with self._redis("Nothing is lost") as redis:
            return {job for name in QUEUES for job in waiting_jobs(name, redis)}

    def _forget(self, run: Run) -> None:
        """Take a canceled run out of Redis. If that fails a worker finds it canceled, and drops it."""
        try:
            with self._redis("") as redis:
                rq_queue(run.queue, redis).remove(job_id(run))
        except QueueUnavailableError:
            log.info("Run %s is canceled; its job stays in a Redis that does not answer", run.id)

    @contextmanager
    def _redis(self, comfort: str) -> Iterator[Redis]:
        """A connection, whose failures become one sentence."""
        url = redis_url(self.settings)
        if self._connection is None or self._connection[0] != url:
            self._connection = (url, connect(url))
        try:
            yield self._connection[1]
        except (RedisError, OSError) as error:
            raise QueueUnavailableError(f"{_unreachable(self.settings, url)} {comfort}.".strip()) from error


def push(run: Run, redis: Redis, timeout_s: int) -> None:
    """Put a run's next attempt at the end of its queue. Harmless when it is there already: a run is claimed once."""
    rq_queue(run.queue, redis).enqueue_call(
        RUN_STEP,
        args=[run.id],
        timeout=timeout_s,
        result_ttl=_RESULT_TTL_S,
        failure_ttl=_FAILURE_TTL_S,
        job_id=job_id(run),
        description=f"{run.kind} {run.id}",
    )


def waiting_jobs(queue: str, redis: Redis) -> list[str]:
    """Ids of a queue's waiting jobs, next first. Reads the list itself: RQ's own way to look removes dead entries."""
    found = cast(list[bytes], redis.lrange(f"rq:queue:{queue}", 0, -1))
    return [job.decode() for job in found]


def _run_id(job: str) -> str:
    return job.rpartition("-")[0]


def _unreachable(settings: Settings, url: str) -> str:
    if settings.embedded:
        return "The embedded Redis does not answer: start the dashboard, or `python -m workers`, on this SLIM_HOME."
    shown = url.rpartition("@")[2] if "@" in url else url  # without the password
    return f"Redis at {shown} does not answer: start it, or correct SLIM_REDIS_URL."


class Submitter:
    """Runs specs through the queue; found by the command line under the entry point ``slim_core.submitters``."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        settings: Settings | None = None,
        by: str = "local",
        on_progress: Callable[[Run], None] | None = None,
    ) -> None:
        """``on_progress`` is called with the run at each look at it while it is awaited."""
        self.queue = Queue(settings, store)
        self.store = self.queue.store
        self._by, self._on_progress = by, on_progress

    def submit(self, spec: Spec, **options: Any) -> Run:
        """The run of this spec, queued now unless the same spec is already queued, running or done."""
        run, created = self.store.runs.submit(spec, by=self._by, **options)
        if created:
            self.queue.submit(run)
        return run

    def wait(self, run: Run) -> Run:
        """The run once it is done.

        Raises:
            RunCanceledError: somebody stopped it.
            SlimError: it failed; with its own sentence.
        """
        while True:
            run = self.store.runs.fetch(run.id)
            if self._on_progress is not None:
                self._on_progress(run)
            if run.ended:
                return finished(run)
            time.sleep(POLL_S)
