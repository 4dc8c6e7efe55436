"""The only function RQ may call. It runs in a process of its own, forked for one run and ended with it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from slim_core.runs import log_lines
from slim_core.runs.execute import perform
from slim_core.signals import SignalEvent
from slim_core.store import Run, Store
from slim_core.version import code_version

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
    limit_s: float | None = None  # how long the run may take
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
        log.info("Woken by run %s, but nothing waits for this worker", run_id, extra={"run": run_id})
        return
    log_lines.bind(run=claimed[0])
    run = perform(mine.store, *claimed, device=mine.device, limit_s=mine.limit_s, shutdown=mine.shutdown)
    if run.status == "done":
        for child in mine.store.runs.children(run.id):
            if child.status == "queued" and not mine.store.runs.waiting_for(child.id):
                mine.wake(child)
    elif run.status == "queued" and not mine.shutdown.is_set():  # it had lost the database, and resumes
        mine.wake(run)
