"""The only function RQ may call. It runs in a process of its own, forked for one run and ended with it."""

from __future__ import annotations

import logging
import threading
from contextvars import ContextVar
from dataclasses import dataclass, field

from slim_core.errors import ConflictError, NotFoundError
from slim_core.steps.execute import execute
from slim_core.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assignment:
    """Who does the work of this process, and on what."""

    store: Store
    worker: str
    device: str
    limit_s: float | None = None  # how long the run may take
    hand_back: threading.Event = field(default_factory=threading.Event)


assignment: ContextVar[Assignment] = ContextVar("assignment")


def run_step(run_id: str) -> None:
    """Do one run. How it ends is in the database; nothing is returned through Redis.

    Safe to be called twice: a run that somebody else has claimed, or that was canceled or deleted meanwhile, is left
    alone.
    """
    mine = assignment.get()
    try:
        execute(
            mine.store,
            run_id,
            worker=mine.worker,
            device=mine.device,
            limit_s=mine.limit_s,
            hand_back=mine.hand_back,
        )
    except (ConflictError, NotFoundError) as error:
        log.info("Nothing to do for run %s: %s", run_id, error)
