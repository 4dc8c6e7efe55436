"""Units of a study in threads, each of which waits for its runs behind the queue; where one is interrupted, all end.

A database that does not answer for a while ends none: what is queued goes on, and what is done is found again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from slim_core.runs.executor import POLL_S, Submitter, Workbench, require_done
from slim_core.store.database import DatabaseAwayError

if TYPE_CHECKING:
    from slim_core.data.progress import Progress
    from slim_core.steps.specs import Spec
    from slim_core.store import Run, Store

log = logging.getLogger(__name__)
T = TypeVar("T")


def outlasting(do: Callable[[], T], go_on: Progress | None = None) -> T:
    """What ``do`` gives, which is done again while the database does not answer; a warning says so once.

    ``go_on``: as ``until`` gives it, called before each try but the first.
    """
    is_away = False
    while True:
        try:
            return do()
        except DatabaseAwayError as error:
            if not is_away:
                log.warning("%s What is under way goes on once it does.", error)
            is_away = True
        time.sleep(POLL_S)
        if go_on is not None:
            go_on(0, 0, "")


@contextmanager
def threads_at(at: Workbench, jobs: int) -> Iterator[tuple[Executor, Workbench, Progress]]:
    """A pool of threads, the workbench they use, which stops waiting once this thread is interrupted, and ``until``.

    Without that the pool would wait for the units that its threads are in, which no signal reaches.
    """
    interrupted = threading.Event()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            awaiting = Workbench(at.store, _UntilInterrupted(at.store, at.submitter, interrupted.wait))
            yield pool, awaiting, until(interrupted.is_set)
        except BaseException:
            interrupted.set()
            raise


def until(interrupted: Callable[[], bool]) -> Progress:
    """What is called while the files of a data set are drawn and read: it ends that once ``interrupted``."""

    def go_on(_done: int, _total: int, _what: str) -> None:
        if interrupted():
            raise KeyboardInterrupt

    return go_on


@dataclass(frozen=True)
class _UntilInterrupted:
    """Submits by another submitter; awaits, and submits, only until ``interrupted``. What is queued stays queued."""

    store: Store
    inner: Submitter
    interrupted: Callable[[float], bool]  # waits for so many seconds, or until it is true

    @property
    def by(self) -> str:
        """As of the other."""
        return self.inner.by

    def submit(self, spec: Spec, **options: Any) -> Run:
        """As the other does.

        Raises:
            KeyboardInterrupt: it was interrupted, before anything was submitted.
        """
        self._require_awaited(0)
        return self.inner.submit(spec, **options)

    def wait(self, run: Run) -> Run:
        """The run once it is done.

        Raises:
            SlimError: it failed or was stopped.
            KeyboardInterrupt: it was interrupted.
        """
        while not (run := outlasting(partial(self.store.runs.fetch, run.id), self._go_on)).ended:
            self._require_awaited(POLL_S)
        return require_done(run)

    def _go_on(self, _done: int, _total: int, _what: str) -> None:
        self._require_awaited(0)

    def has_gpu(self) -> bool:
        """As of the other."""
        return self.inner.has_gpu()

    def _require_awaited(self, wait_s: float) -> None:
        if self.interrupted(wait_s):
            raise KeyboardInterrupt
