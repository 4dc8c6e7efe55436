"""The queue as the dashboard and the command line see it: submit, stop, retry, view; and the one kind of job in it.

The database owns the state of a run; Redis only carries jobs that wake a worker, and which run the worker then takes,
the database decides. So a run that Redis refuses now is not lost: it stays queued in the database, and a worker service
puts a job into Redis as soon as that answers again. There should be as many jobs as runs that can start; one too many
finds nothing to do, one too few is enqueued within two seconds. A job's run id only says for which run it was enqueued.

RQ imports any function by the name it finds in Redis, and any callback or webhook beside it; Redis may hold others (it
is shared, or was tampered with). A worker that performs only ``StepJob`` runs nothing but ``run_step`` with one run id,
and reads only JSON, never pickles. ``run_step`` runs in a process of its own, forked for one run and ended with it.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import rq
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry
from rq.job import Job
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty

from slim_core.errors import QueueUnavailableError, SlimError
from slim_core.formatting import shortened
from slim_core.result_files import MB, free_bytes
from slim_core.runs.execute import perform
from slim_core.runs.executor import POLL_S, require_done
from slim_core.runs.preflight import require_devices, require_possible
from slim_core.settings import Settings
from slim_core.settings import settings as settings_of_environment
from slim_core.signals import SignalEvent
from slim_core.steps.specs import Spec
from slim_core.store import Pause, Run, Store, Worker
from slim_core.store.database import DatabaseAwayError
from slim_core.store.runs.queue import Unfinished, Waiting
from slim_core.store.runs.rows import UNFINISHED, label_of
from slim_core.store.workers import block_messages, workers_with_blocks
from slim_core.version import code_version
from workers.local import await_start, is_starting, redis_url, trouble
from workers.slots import QUEUES

log = logging.getLogger(__name__)

RUN_STEP = "workers.queue.run_step"
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


class JobRefusedError(SlimError):
    """A job in Redis is not one of ours."""


class StepJob(Job):
    """An RQ job that can only be ``run_step(run_id)``, without callbacks or webhooks."""

    @property
    def func(self) -> Callable[[str], None]:
        """The one function, never looked up by name."""
        self.check()
        return run_step

    @property
    def run_id(self) -> str:
        """The run this job is about.

        Raises:
            JobRefusedError: the job is not one of ours.
        """
        self.check()
        return str(self.args[0])

    def perform(self) -> Any:
        """Check, then run the step."""
        self.check()
        return super().perform()

    def check(self) -> None:
        """Refuse anything but run_step with one run id.

        Raises:
            JobRefusedError: another function, other arguments, callbacks, webhooks, or no time-out.
        """
        if self.func_name != RUN_STEP or self.instance is not None:
            raise JobRefusedError(f"Job {self.id} calls {self.func_name!r}: a worker runs nothing but {RUN_STEP}.")
        if len(self.args) != 1 or self.kwargs or not _is_run_id(self.args[0]):
            raise JobRefusedError(f"Job {self.id} has the arguments {self.args!r}: {RUN_STEP} takes one run id.")
        if self._success_callback_name or self._failure_callback_name or self._stopped_callback_name or self.webhooks:
            raise JobRefusedError(f"Job {self.id} has callbacks or webhooks: a worker calls none.")
        if not self.timeout or self.timeout < 1:
            raise JobRefusedError(f"Job {self.id} has no time-out: each job needs one in whole seconds.")

    # RQ calls these outside perform(), also for a job that was refused.
    success_callback = property(lambda _self: None)
    failure_callback = property(lambda _self: None)
    stopped_callback = property(lambda _self: None)

    should_retry = property(lambda _self: False)  # a run is queued again by the database alone

    def send_webhooks(self, *_args: Any, **_options: Any) -> None:
        """Send none."""


class StepDeathPenalty(UnixSignalDeathPenalty):
    """RQ's alarm clock, but not for the job itself.

    RQ raises an exception out of a signal, which any ``except Exception`` on the way swallows, that of a log handler
    included. The step's own ``check_stop`` ends it in time, and the slot kills one that does not come to check.
    """

    def setup_death_penalty(self) -> None:
        """Set no alarm for the job."""
        if self._exception is not JobTimeoutException:
            super().setup_death_penalty()  # type: ignore[no-untyped-call]


def _is_run_id(value: object) -> bool:
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


@dataclass(frozen=True)
class JobFilter:
    """Which runs a worker takes."""

    queues: tuple[str, ...]
    device: str  # as people know it: "cuda:1"
    processes: tuple[int, ...]  # how many may share a training on it


@dataclass(frozen=True)
class Assignment:
    """Who does the work of this process, on what, and which work."""

    store: Store
    worker: str
    device: str  # as torch calls it in this process
    job_filter: JobFilter
    shutdown: SignalEvent = field(default_factory=SignalEvent)
    wake: Callable[[Run], None] = lambda _run: None  # called with each run that can start now


assignment: ContextVar[Assignment] = ContextVar("assignment")


def run_step(run_id: str) -> None:
    """Do the best run this worker may take now. How it ends is in the database; nothing is returned through Redis.

    ``run_id`` is the run whose job woke the worker; which run it does the database decides. Safe to be called twice,
    and for a run that was canceled, deleted or taken meanwhile: where nothing waits, nothing is done.
    """
    mine = assignment.get()
    job_filter = mine.job_filter
    claimed = mine.store.attempts.claim_best(
        mine.worker, job_filter.device, job_filter.queues, job_filter.processes, code_version()
    )
    if claimed is None:
        log.info("Woken by run %s, but nothing waits for this worker", run_id)
        return
    run = perform(mine.store, *claimed, device=mine.device, shutdown=mine.shutdown)
    if run.status == "done":
        for child in mine.store.runs.children(run.id):
            if child.status == "queued" and not mine.store.runs.waiting_for(child.id):
                mine.wake(child)
    elif run.status == "queued" and not mine.shutdown.is_set():  # it had lost the database, and resumes
        mine.wake(run)


SERIALIZER = "json"
_TIMEOUT_S = 7 * 24 * 3600  # RQ kills a job that takes longer; its run resumes from its checkpoint, at most twice
_RESULT_TTL_S = 600
_FAILURE_TTL_S = 24 * 3600
_LONGEST_START_S = 10.0  # that a press waits for the embedded Redis of a dashboard that comes up
_START = "start one with `python -m workers`"
_MAKE_ROOM = "free some space on the disk first, for a worker that cannot write has no heartbeat"
_REDIS_FIRST = "none can start while Redis does not answer"
_LITTLE_SPACE = 200 * MB  # bytes
_MOST_LETTERS = 44  # of the name of a run, in the sentence about another


Startable = Run | Waiting  # a run that can start: a whole one, or what is known of a waiting one


def connect(url: str, *, timeout_s: float = 5.0) -> Redis:
    """A client that gives up soon, so that a page never hangs on a Redis that has gone, or that does not answer."""
    retry = Retry(ExponentialBackoff(cap=0.2, base=0.05), 2, supported_errors=(RedisConnectionError,))
    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=min(2.0, timeout_s), retry=retry)


def rq_queue(name: str, connection: Redis) -> rq.Queue:
    """The RQ queue of this name, which holds nothing but our jobs as JSON."""
    return rq.Queue(name, connection=connection, serializer=SERIALIZER, job_class=StepJob)


def queue_name(run: Startable) -> str:
    """The RQ queue whose jobs wake a worker that may take the run: one of its own for each number of processes."""
    return named_queue(run.queue, run.processes)


def named_queue(queue: str, processes: int) -> str:
    """The RQ queue of any run that so many processes share."""
    return queue if processes == 1 else f"{queue}-{processes}"


def queue_names(queues: Iterable[str], processes: Sequence[int]) -> list[str]:
    """The RQ queues a worker listens to, on whose devices so many processes may share a training: the most first."""
    return [named_queue(queue, n) for queue in queues for n in sorted(processes, reverse=True)]


def enqueue_wakeup(run: Startable, redis: Redis) -> None:
    """Enqueue a job that wakes a worker for a run."""
    rq_queue(queue_name(run), redis).enqueue_call(
        RUN_STEP,
        args=[run.id],
        timeout=_TIMEOUT_S,
        result_ttl=_RESULT_TTL_S,
        failure_ttl=_FAILURE_TTL_S,
        job_id=f"{run.id}-{secrets.token_hex(4)}",  # never one that a worker may be performing for another run
        description=f"{run.kind} {run.id}",
    )


@dataclass(frozen=True)
class QueueView:
    """The queue at one moment. All of it comes from the database: a Redis that is away keeps nobody waiting."""

    waiting: dict[str, list[str]]  # queue -> run ids in the order workers will take them
    workers: list[Worker]  # those whose heartbeat is not older than a minute
    counts: dict[str, int]  # runs by status, without shards
    reasons: dict[str, str] = field(default_factory=dict)  # run id -> what a queued run waits for beside its turn
    pause: Pause | None = None  # no worker takes anything
    warnings: tuple[str, ...] = ()  # what threatens every run or blocks workers: a disk that is nearly full, or full

    def position(self, run_id: str) -> int | None:
        """Place of a run in its queue, from 1; None when it does not wait for a worker."""
        return self._positions.get(run_id)

    def waits_for(self, run_id: str) -> str | None:
        """What a queued run waits for beside its turn, as a sentence: a parent, shards, a worker."""
        return self.reasons.get(run_id)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {run_id: place for ids in self.waiting.values() for place, run_id in enumerate(ids, 1)}


def view_of(store: Store, *, silent: bool = False) -> QueueView:
    """A view of the queue. Few queries, however many runs. ``silent``: Redis does not answer, as is known already."""
    waiting, workers, pause = store.queue.waiting(), workers_with_blocks(store), store.queue.paused()
    warnings = tuple(block_messages(workers)) or _disk_warnings(store.settings.home)
    start = _REDIS_FIRST if silent and not store.settings.embedded else _START  # the embedded one starts with a worker
    remedy = _MAKE_ROOM if warnings and not workers else start
    of_parents = {run_id: _of_parent(parent) for run_id, parent in store.queue.unfinished_parents().items()}
    by_queue = {name: [run.id for run in waiting if run.queue == name] for name in QUEUES}
    return QueueView(
        waiting=by_queue,
        workers=workers,
        counts=store.runs.counts(),
        reasons=of_parents | _of_workers(waiting, workers, remedy, pause),
        pause=pause,
        warnings=warnings,
    )


def _disk_warnings(home: Path) -> tuple[str, ...]:
    """A full disk cannot be reported by the runs it stops: nothing can be written down any more."""
    free = free_bytes(home)
    if free is None or free > _LITTLE_SPACE:
        return ()
    left = f"{free / MB:.0f} MB are left on the disk of {home.resolve()}"
    return (f"{left}: free some space, or runs fail and nothing more can be saved.",)


def _of_parent(parent: Unfinished) -> str:
    if parent.is_shard:
        return "Waiting for its shards."
    named = f"{shortened(parent.title, _MOST_LETTERS)} ({parent.id})"
    then = ": retry that one" if parent.status in UNFINISHED else ""
    return f"Waiting for {named}, which is {label_of(parent.status)}{then}."


def _of_workers(
    waiting: Sequence[Waiting], workers: Sequence[Worker], remedy: str, pause: Pause | None
) -> dict[str, str]:
    """Runs no living worker takes. Asked once for all runs that are alike. ``remedy``: where there is no worker."""
    if pause:
        return dict.fromkeys(
            [run.id for run in waiting], f"Waiting until the queue, paused by {pause.paused_by}, is resumed."
        )
    known: dict[tuple[str, int], str | None] = {}
    for run in waiting:
        alike = (run.queue, run.processes)
        if alike not in known:
            known[alike] = _lacking(run, workers, remedy)
    reasons = {run.id: known[run.queue, run.processes] for run in waiting}
    return {run_id: reason for run_id, reason in reasons.items() if reason}


def _lacking(run: Waiting, workers: Sequence[Worker], remedy: str) -> str | None:
    serving = [worker for worker in workers if worker.serves(run.queue)]
    if not serving:
        return f"Waiting for a worker of the queue {run.queue}: {remedy}."
    fitting = [worker for worker in serving if worker.serves(run.queue, run.processes)]
    if fitting and all(worker.blocked for worker in fitting):
        return f"Waiting for disk space: {fitting[0].blocked}"
    if not fitting:
        start = f"start one with `python -m workers --devices {run.processes}`"
        return f"Waiting for a worker with {run.processes} devices: {start}."
    return None


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
        queued = [each for each in each_one if each.status == "queued" and not self.store.runs.waiting_for(each.id)]
        if queued:
            self.enqueue_wakeups(queued, _saved(runs))

    def enqueue_wakeups(self, runs: Iterable[Startable], reassurance: str = "Nothing is lost.") -> None:
        """Enqueue a wake-up for each of these runs, which can start.

        Raises:
            QueueUnavailableError: Redis does not answer.
        """
        with self._redis(reassurance) as redis:
            for run in runs:
                enqueue_wakeup(run, redis)

    def stop(self, run_id: str, by: str = "local") -> Run:
        """Cancel a queued run at once; ask a running one to stop, which it does within seconds, else is killed."""
        return self.store.attempts.request_stop(run_id, by)  # its job, if it has one, wakes a worker for nothing

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
        """How many jobs wait in each of these RQ queues; one round trip.

        Raises:
            QueueUnavailableError: Redis does not answer.
        """
        names = list(names)
        with self._redis("Nothing is lost.") as redis, redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.llen(f"rq:queue:{name}")
            return dict(zip(names, pipeline.execute(), strict=True))

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
    """Why Redis takes no jobs: it does not answer, or it refuses, as one does that cannot write to its disk."""
    shown = url.rpartition("@")[2] if "@" in url else url  # without the password
    server = "The embedded Redis" if settings.embedded else f"Redis at {shown}"
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
