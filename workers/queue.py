"""The queue as the dashboard and the command line see it: submit, stop, retry, view.

The database owns the state of a run; Redis only carries its id to a worker. So a run that Redis refuses now is not
lost: it stays queued in the database, and a worker service puts it into Redis as soon as that answers again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from slim_core.errors import QueueUnavailableError
from slim_core.runs.executor import POLL_S, require_done
from slim_core.runs.preflight import require_devices, require_possible
from slim_core.settings import Settings
from slim_core.settings import settings as settings_of_environment
from slim_core.steps.specs import Spec
from slim_core.store import Run, Store
from slim_core.store.database import DatabaseAwayError
from workers.local import await_start, is_starting, redis_url
from workers.notify_workers import Startable, connect, count_jobs, enqueue_wakeup, remove_wakeups
from workers.queue_view import QueueView, view_of
from workers.redis_home import trouble

__all__ = ["Queue", "QueueView", "Submitter"]

log = logging.getLogger(__name__)

_LONGEST_START_S = 10.0  # that a press waits for the embedded Redis of a dashboard that comes up


class Queue:
    """Submits runs to the workers. Cheap to make; connects when first used."""

    def __init__(self, settings: Settings | None = None, store: Store | None = None) -> None:
        self.settings = settings or settings_of_environment()
        self.store = store or Store.open(self.settings)
        self._connection: tuple[str, Redis] | None = None

    def submit(self, *runs: Run) -> None:
        """Enqueue a wake-up for each queued run, or for its shards; before its parents are done, a service does later.

        Raises:
            QueueUnavailableError: Redis does not answer. The runs stay queued and go in later by themselves.
        """
        each_one = [each for run in runs for each in (run, *self.store.runs.shards(run.id))]
        ready = [each for each in each_one if each.status == "queued" and self.ready(each)]
        if ready:
            with self._redis(_saved(runs)) as redis:
                for each in ready:
                    enqueue_wakeup(each, redis, self.settings.job_timeout_s)

    def enqueue_wakeups(self, runs: Iterable[Startable]) -> None:
        """Enqueue a wake-up for each of these runs, which can start.

        Raises:
            QueueUnavailableError: Redis does not answer.
        """
        with self._redis("Nothing is lost.") as redis:
            for run in runs:
                enqueue_wakeup(run, redis, self.settings.job_timeout_s)

    def ready(self, run: Run) -> bool:
        """Whether all parents of a run are done."""
        return not self.store.runs.waiting_for(run.id)

    def stop(self, run_id: str, by: str = "local") -> Run:
        """Cancel a queued run at once; ask a running one to stop, which it does within seconds, else is killed."""
        before = [self.store.runs.fetch(run_id), *self.store.runs.shards(run_id)]
        run = self.store.attempts.request_stop(run_id, by)
        for each in before:
            if each.status == "queued":
                self._remove_wakeups(each)
        return run

    def retry(self, run_id: str, by: str = "local") -> Run:
        """Queue a failed or canceled run again; it resumes from its last checkpoint.

        Raises:
            ConflictError: the run is neither.
            QueueUnavailableError: Redis does not answer; the run goes in later by itself.
        """
        run = self.store.attempts.retry(run_id, by)
        self.submit(run)
        return run

    def resume(self, by: str = "local") -> None:
        """End the pause and wake the workers at once, where Redis answers; else a service does so later."""
        if self.store.queue.resume(by):
            with suppress(QueueUnavailableError):
                self.enqueue_wakeups(run for run in self.store.queue.waiting() if run.id)  # others: a service does

    def view(self, *, silent: bool = False) -> QueueView:
        """What waits and who works, by reading the database only: ``silence`` asks Redis. As of ``view_of``."""
        return view_of(self.store, silent=silent)

    def silence(self) -> str | None:
        """That, and why, Redis does not answer, in a sentence; None where it does. Takes a second or two at most."""
        if is_starting(self.settings):
            return "The queue is still starting. The runs below are kept."
        try:
            url = redis_url(self.settings)
        except QueueUnavailableError as error:
            return str(error)
        met = trouble(url)
        return None if met is None else f"{_sentence(self.settings, url, met)} The runs below are kept."

    def jobs(self, names: Iterable[str]) -> dict[str, int]:
        """How many jobs wait in each of these RQ queues.

        Raises:
            QueueUnavailableError: Redis does not answer.
        """
        with self._redis("Nothing is lost.") as redis:
            return count_jobs(names, redis)

    def _remove_wakeups(self, run: Run) -> None:
        """Take a canceled run out of Redis. If that fails a worker is woken for nothing."""
        try:
            with self._redis("") as redis:
                remove_wakeups(run, redis)
        except QueueUnavailableError:
            log.info("Run %s is canceled; its job stays in a Redis that does not answer", run.id)

    @contextmanager
    def _redis(self, reassurance: str) -> Iterator[Redis]:
        """A connection, whose failures become one sentence; behind it, what becomes of the runs."""
        await_start(self.settings, _LONGEST_START_S)
        try:
            url = redis_url(self.settings)
        except QueueUnavailableError as error:
            raise QueueUnavailableError(f"{error} {reassurance}".strip()) from error
        try:
            if self._connection is None or self._connection[0] != url:
                self._connection = (url, connect(url))
            yield self._connection[1]
        except (RedisError, OSError) as error:
            raise QueueUnavailableError(f"{_sentence(self.settings, url, error)} {reassurance}".strip()) from error


def _saved(runs: Sequence[Run]) -> str:
    """What becomes of runs that no worker could be woken for."""
    if len(runs) == 1:
        return f"Run {runs[0].id} is saved and starts by itself once the queue is back."
    return f"{len(runs)} runs are saved and start by themselves once the queue is back."


def _sentence(settings: Settings, url: str, met: Exception) -> str:
    """Why Redis takes no jobs: it does not answer, or it refuses, as it does while it cannot write to its disk."""
    shown = url.rpartition("@")[2] if "@" in url else url  # without the password
    server = "The embedded Redis" if settings.embedded else f"Redis at {shown}"
    if isinstance(met, ResponseError) and "No space left" in str(met):
        return f"{server} takes no jobs while its disk is full: free some space there."
    if isinstance(met, ResponseError):
        return f"{server} takes no jobs ({str(met).rstrip('.')}): see its log."
    remedy = "start it, or correct SLIM_REDIS_URL"
    if settings.embedded:
        remedy = "start the dashboard, or `python -m workers`, on this SLIM_HOME; where one runs, see workers.log there"
    return f"{server} does not answer: {remedy}."


class Submitter:
    """Runs specs through the queue; found by the command line under the entry point ``slim_core.submitters``."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        settings: Settings | None = None,
        by: str = "local",
        priority: int = 0,
    ) -> None:
        """``priority`` (higher goes first) is that of every run.

        Raises:
            QueueUnavailableError: nobody has started the embedded Redis, so that nothing would take a run.
        """
        self.queue = Queue(settings, store)
        self.store = self.queue.store
        self.by, self._priority = by, priority
        self._was_taken = False  # Redis has taken a run: where it does not answer later, it is being restarted
        redis_url(self.queue.settings)

    def submit(self, spec: Spec, **options: Any) -> Run:
        """The run of this spec, queued now unless the same spec is already queued, running or done.

        Where Redis has taken an earlier one and does not answer now, a warning says that it waits in the database.

        Raises:
            QueueUnavailableError: Redis has not answered yet; the run is saved.
            SlimError: the step can only fail.
        """
        require_possible(self.store, spec)
        require_devices(self.store, spec)
        run, created = self.store.runs.submit(spec, by=self.by, **{"priority": self._priority, **options})
        if created:
            self._wake_for(run)
        return run

    def _wake_for(self, run: Run) -> None:
        try:
            self.queue.submit(run)
            self._was_taken = True
        except QueueUnavailableError as error:
            if not self._was_taken:
                raise
            log.warning("%s", error)

    def has_gpu(self) -> bool:
        """Whether any worker has one."""
        return self.store.workers.have_gpu()

    def wait(self, run: Run) -> Run:
        """The run once it is done. While the database does not answer, a worker continues it: a warning says so once.

        Raises:
            RunCanceledError: somebody stopped it.
            SlimError: it failed; with its own sentence.
        """
        is_away = False
        while True:
            try:
                run, is_away = self.store.runs.fetch(run.id), False
            except DatabaseAwayError as error:
                if not is_away:
                    log.warning("%s The %s run %s continues meanwhile.", error, run.kind, run.id)
                is_away = True
            else:
                if run.ended:
                    return require_done(run)
            time.sleep(POLL_S)
