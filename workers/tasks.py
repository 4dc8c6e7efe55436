"""The one kind of job our workers perform, and the only function RQ may call.

RQ imports any function by the name it finds in Redis, and any callback or webhook beside it; Redis may hold others (it
is shared, or was tampered with). A worker that performs only ``StepJob`` runs nothing but ``run_step`` with one run id,
and reads only JSON, never pickles. ``run_step`` runs in a process of its own, forked for one run and ended with it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from rq.job import Job
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty

from slim_core.errors import SlimError
from slim_core.runs.execute import perform
from slim_core.signals import SignalEvent
from slim_core.store import Run, Store
from slim_core.version import code_version

RUN_STEP = "workers.tasks.run_step"
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


log = logging.getLogger(__name__)


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
