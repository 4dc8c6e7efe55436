"""Where steps run: a store, and what executes its runs: this process, or the workers behind the queue."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol

from slim_core.errors import ConflictError, QueueUnavailableError, RunCanceledError, SlimError

if TYPE_CHECKING:
    from slim_core.steps.specs import Spec
    from slim_core.store import Run, Store

ENTRY_POINTS = "slim_core.submitters"  # how the queue is found without importing it (docs/decisions)
PENDING = ("queued", "running", "stopping")
POLL_S = 0.25


class Submitter(Protocol):
    """What executes runs."""

    def submit(self, spec: Spec) -> Run:
        """The run of this spec: the finished or pending one of the same spec, else a new one."""
        ...

    def wait(self, run: Run) -> Run:
        """The run once it is done.

        Raises:
            SlimError: it failed, was stopped or cannot be done; with the run's own sentence.
        """
        ...


@dataclass(frozen=True)
class Workbench:
    """A store and what executes its runs."""

    store: Store
    submitter: Submitter

    def run(self, spec: Spec) -> Run:
        """Submit and await one run."""
        return self.submitter.wait(self.submitter.submit(spec))


class InProcess:
    """Executes runs here and now, one at a time, without Redis."""

    def __init__(self, store: Store, *, by: str = "local", device: str | None = None) -> None:
        """``device``: of torch; None: the first GPU where there is one, else the CPU."""
        self.store, self.by, self._device = store, by, device

    def submit(self, spec: Spec) -> Run:
        """Register the run; it starts when it is awaited."""
        return self.store.runs.submit(spec, by=self.by)[0]

    def wait(self, run: Run) -> Run:
        """Execute the run, or watch the process that is already doing so."""
        from slim_core.steps.execute import execute

        if self.store.runs.fetch(run.id).status == "queued":
            try:
                execute(self.store, run.id, worker=f"{socket.gethostname()}:in-process", device=self.device(run))
            except ConflictError:  # another process claimed it a moment earlier
                pass
        return await_run(self.store, run.id)

    def device(self, run: Run) -> str:
        """Where torch computes."""
        if run.spec["kind"] in ("space", "curate"):
            return "cpu"
        if self._device is None:
            import torch

            self._device = "cuda" if torch.cuda.is_available() else "cpu"
        return self._device


def await_run(store: Store, run_id: str, *, look: Callable[[Run], Any] | None = None) -> Run:
    """Wait until a run is done, whoever executes it; ``look`` sees its row every quarter of a second.

    Raises:
        RunCanceledError: it was stopped.
        SlimError: it failed; with its own sentence.
    """
    while True:
        run = store.runs.fetch(run_id)
        if look:
            look(run)
        if run.status == "done":
            return run
        if run.status == "canceled":
            raise RunCanceledError(f"The {run.kind} run {run.id} was stopped: submit it again to go on.")
        if run.status not in PENDING:
            raise SlimError(f"The {run.kind} run {run.id} {run.status}: {run.message}")
        time.sleep(POLL_S)


def queue_submitter(store: Store) -> Submitter:
    """What submits through the queue, as the installed package ``workers`` offers it.

    Raises:
        QueueUnavailableError: no such package is installed, or Redis does not answer.
    """
    found = list(entry_points(group=ENTRY_POINTS))
    if not found:
        raise QueueUnavailableError(
            "This installation has no queue: install SLIM Studio as a whole (pip install -e .), or leave --queue out."
        )
    submitter: Submitter = found[0].load()(store)
    return submitter


def open_workbench(*, queue: bool = False, device: str | None = None) -> Workbench:
    """The store of the settings, and this process or the queue to execute its runs."""
    from slim_core.store import Store

    store = Store.open()
    return Workbench(store, queue_submitter(store) if queue else InProcess(store, device=device))
