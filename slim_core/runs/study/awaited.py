"""Units of a study in threads, each of which waits for its runs behind the queue; where one is interrupted, all end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slim_core.runs.executor import POLL_S, Submitter, Workbench, finished

if TYPE_CHECKING:
    from slim_core.data.progress import Progress
    from slim_core.steps.specs import Spec
    from slim_core.store import Run, Store


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
        while not (run := self.store.runs.fetch(run.id)).ended:
            self._require_awaited(POLL_S)
        return finished(run)

    def has_gpu(self) -> bool:
        """As of the other."""
        return self.inner.has_gpu()

    def _require_awaited(self, wait_s: float) -> None:
        if self.interrupted(wait_s):
            raise KeyboardInterrupt
