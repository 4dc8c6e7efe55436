"""Where steps run: a store, and what executes its runs: this process, or the workers behind the queue.

And what is meant there where something is left out: the newest data set, run or campaign that fits.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from slim_core.errors import (
    ConflictError,
    NotFoundError,
    QueueUnavailableError,
    RunCanceledError,
    SpecRefusedError,
    error_of_run,
    quoted,
)
from slim_core.runs.execute import LeaseGrace
from slim_core.runs.preflight import require_possible, require_weights
from slim_core.signals import SignalEvent
from slim_core.steps.specs import STEPS
from slim_core.store.workers import is_gpu

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.steps.specs import Spec
    from slim_core.store import Campaign, Dataset, Run, Store

ENTRY_POINTS = "slim_core.submitters"  # how the queue is found without importing it (docs/decisions)
STUDIO = Path(__file__).parents[1] / "_studio"  # where a wheel has app and workers (docs/decisions/0021)
PROGRAMS = "slim_core.programs"  # what starts the dashboard, found in the same way
POLL_S = 0.25
PATIENCE_S = 5.0  # where an end cannot be recorded, as on a full disk: a person waits


class Submitter(Protocol):
    """What executes runs. ``by``: who is said to submit them."""

    @property
    def by(self) -> str: ...

    def submit(self, spec: Spec, **options: Any) -> Run:
        """The run of this spec: the finished or pending one of the same spec, else a new one.

        ``options``: name (shown in lists) and force (run it again although it is done).
        """
        ...

    def wait(self, run: Run) -> Run:
        """The run once it is done.

        Raises:
            SlimError: it failed, was stopped or cannot be done; with the run's own sentence.
        """
        ...

    def has_gpu(self) -> bool:
        """Whether a training would have one."""
        ...


@dataclass(frozen=True)
class Workbench:
    """A store and what executes its runs."""

    store: Store
    submitter: Submitter

    @property
    def by(self) -> str:
        """Who is said to have done what is done at it: whoever submits its runs."""
        return self.submitter.by

    def run(self, spec: Spec, **options: Any) -> Run:
        """Submit and await one run; ``options`` are those of Submitter.submit."""
        return self.submitter.wait(self.submitter.submit(spec, **options))


class InProcess:
    """Executes runs here and now, one at a time, without Redis."""

    def __init__(self, store: Store, *, by: str = "local", device: str | None = None) -> None:
        """``device``: of torch; None: the first GPU where there is one, else the CPU.

        Raises:
            SpecRefusedError: this machine has no such device.
        """
        if device not in (None, "cpu"):
            from slim_core.models.inference import open_device

            open_device(device)
        self.store, self.by, self._device = store, by, device

    def submit(self, spec: Spec, **options: Any) -> Run:
        """Register the run; it starts when it is awaited. In one pass: shards serve many workers.

        Raises:
            SlimError: the step can only fail.
        """
        require_possible(self.store, spec)
        require_weights(self.store, spec)
        self._require_processes(spec)
        self._device_of(spec.kind)  # torch takes seconds to import: a worker that is idle would take the run meanwhile
        return self.store.runs.submit(spec, by=self.by, sharded=False, **options)[0]

    def wait(self, run: Run) -> Run:
        """Execute the run, or watch the process that is already doing so.

        Raises:
            SlimError: it failed or was stopped; with its own sentence.
            KeyboardInterrupt: Ctrl-C was pressed; the run is queued again and resumes from its last checkpoint.
        """
        grace = LeaseGrace(self.store.settings.lease_s)
        while True:
            run = self.store.runs.fetch(run.id)
            if run.status == "queued":
                self._execute(run)
            elif run.ended:
                return require_done(run)
            else:
                if not grace.is_active():
                    self.store.attempts.lose_expired()  # of a process that was killed
                time.sleep(POLL_S)

    def _execute(self, run: Run) -> None:
        from slim_core.runs.execute import execute

        for _, parent in self.store.runs.parents(run.id, shards=True):
            if parent.status != "done":
                self.wait(parent)
        worker = f"{socket.gethostname()}:in-process"
        with _ctrl_c() as pressed:
            try:
                execute(
                    self.store,
                    run.id,
                    worker=worker,
                    device=self.device(run),
                    shutdown=pressed,
                    patience_s=PATIENCE_S,
                )
            except ConflictError:  # another process claimed it a moment earlier
                return
        if pressed.is_set():
            raise KeyboardInterrupt

    def has_gpu(self) -> bool:
        """Whether a training would have one."""
        return is_gpu(self._torch_device())

    def _require_processes(self, spec: Spec) -> None:
        n = getattr(spec, "processes", 1)
        if n > 1:
            from slim_core.training.processes import processes_here

            processes_here(n, self._torch_device())

    def device(self, run: Run) -> str:
        """Where torch computes."""
        return self._device_of(run.kind)

    def _device_of(self, kind: str) -> str:
        return "cpu" if STEPS[kind].queue == "cpu" else self._torch_device()

    def _torch_device(self) -> str:
        if self._device is None:
            import torch

            self._device = "cuda" if torch.cuda.is_available() else "cpu"
        return self._device


def require_done(run: Run) -> Run:
    """A run that is done.

    Raises:
        RunCanceledError: it was stopped.
        SlimError: it failed; with its own sentence, as the class that ``error_of_run`` knows.
    """
    if run.status == "canceled":
        raise RunCanceledError(f"The {run.kind} run {run.id} was stopped: `slim retry {run.id}` resumes it.")
    if run.status == "failed":
        raise error_of_run(run.progress.get("error"))(
            run.message or f"The {run.kind} run {run.id} failed: read its log."
        )
    return run


@contextmanager
def _ctrl_c() -> Iterator[SignalEvent]:
    """An event that the first Ctrl-C sets, so that the run is queued again; a second one interrupts as usual."""
    pressed = SignalEvent()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return

    def press(_number: int, _frame: object) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def queue_submitter(store: Store, **options: Any) -> Submitter:
    """What submits through the queue, as the installed package ``workers`` offers it; with its ``options``.

    Raises:
        QueueUnavailableError: no such package is installed, or Redis does not answer.
    """
    submitter: Submitter = installed(ENTRY_POINTS)(store, **options)
    return submitter


def installed(group: str, name: str | None = None) -> Any:
    """What the packages above this one offer: the first of a group, or the one of a name.

    Raises:
        QueueUnavailableError: they are not installed.
    """
    if STUDIO.is_dir() and str(STUDIO) not in sys.path:
        sys.path.insert(0, str(STUDIO))
    found = list(entry_points(group=group) if name is None else entry_points(group=group, name=name))
    if not found:
        raise QueueUnavailableError(
            "This installation has no queue: install SLIM Studio as a whole (pip install -e .), or leave --queue out."
        )
    return found[0].load()


def open_workbench(
    *, queue: bool = False, device: str | None = None, priority: int = 0, by: str = "local"
) -> Workbench:
    """The store of the settings, and this process or the queue to execute its runs.

    ``device``: of torch in this process; ``priority``: in the queue, higher goes first; ``by``: who submits them.

    Raises:
        SpecRefusedError: a device for the queue.
    """
    from slim_core.store import Store

    if queue and device is not None:
        raise SpecRefusedError(
            f"--device {device} is of this process: in the queue a run goes to the worker that is free first. Leave it "
            f"out, or start workers on the devices that are wanted alone (CUDA_VISIBLE_DEVICES, `python -m workers`)."
        )
    store = Store.open()
    if queue:
        return Workbench(store, queue_submitter(store, priority=priority, by=by))
    return Workbench(store, InProcess(store, device=device, by=by))


def newest_data_set(at: Workbench) -> Dataset:
    """The data set registered last.

    Raises:
        NotFoundError: no data set is registered.
    """
    known = at.store.datasets.all()
    if not known:
        raise NotFoundError(
            "No data set is registered yet: name a folder (--data DIR), or import one: slim import DIR --register."
        )
    return max(known, key=lambda dataset: dataset.created_at)


def data_set(
    data: str | Path | None = None,
    *,
    format: str | None = None,
    name: str | None = None,
    options: Mapping[str, str] | None = None,
    at: Workbench | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    check: Callable[[ImageTable], object] = lambda _table: None,
) -> Dataset:
    """A registered data set by its id or name, a folder (which is then registered), or the newest one.

    ``check``: called before a folder is registered, which it may refuse.

    Raises:
        DataRefusedError: the folder's import found errors.
        NotFoundError: there is no such data set or folder.
    """
    at = at or open_workbench()
    if data is None:
        return newest_data_set(at)
    found = at.store.datasets.find(str(data))
    if found is not None:
        _require_meant(found, str(data))
        return found
    if not str(data) or not os.path.exists(os.path.expanduser(data)):
        raise NotFoundError(f"{quoted(str(data))} is neither a registered data set nor a folder: see slim datasets.")
    from slim_core.data.importing import ToImport, import_asked
    from slim_core.data.report import require
    from slim_core.store.versions import splits_before

    imported = import_asked(
        ToImport(data, format, name, options or {}),
        splits_before=partial(splits_before, at.store.datasets),
        settings=at.store.settings,
        progress=progress,
    )
    check(require(imported))
    return at.store.datasets.register(imported, by=at.by)


def _require_meant(found: Dataset, given: str) -> None:
    """Refuse a word that is the name of a data set, and here a folder of other images.

    Raises:
        SpecRefusedError: it is both.
    """
    folder, root = os.path.realpath(os.path.expanduser(given)), os.path.realpath(found.root)
    if given != found.id and os.path.isdir(folder) and os.path.commonpath([folder, root]) not in (folder, root):
        raise SpecRefusedError(
            f"{quoted(given)} is the data set {found.id} of {found.root}, and a folder here: write "
            f"{os.path.join(os.curdir, given)} for the folder, or {found.id} for the data set."
        )


def newest_run(
    at: Workbench,
    kind: str | Sequence[str],
    *,
    fits: Callable[[Run], bool] = lambda _run: True,
    data: str | None = None,
) -> Run:
    """The finished run of a kind (or of one of several) that was submitted last; ``data``: over this data set.

    Raises:
        NotFoundError: no finished run fits, or there is no such data set.
    """
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    over = None if data is None else at.store.datasets.of(data).id
    done = (run for one in kinds for run in at.store.runs.all(kind=one, status="done", dataset=over))
    fitting = [run for run in done if fits(run)]
    if not fitting:
        of_data = "" if data is None else f" of {data}"
        raise NotFoundError(f"There is no finished {kinds[0]} run{of_data} yet: start one with slim {kinds[0]}.")
    return max(fitting, key=lambda run: run.created_at)


def a_run(at: Workbench, run_id: str | None, kind: str | Sequence[str], **which: Any) -> Run:
    """A run by its id, checked to be of the kind (or of one of several), or the newest that fits.

    Raises:
        NotFoundError: no run has this id, or no finished run fits.
        SpecRefusedError: the run is of another kind, or a data set is named beside it.
    """
    if run_id is None:
        return newest_run(at, kind, **which)
    if which.get("data") is not None:
        raise SpecRefusedError(f"{run_id} belongs to a data set already: name the run or a data set, not both.")
    run, kinds = at.store.runs.fetch(run_id), (kind,) if isinstance(kind, str) else tuple(kind)
    if run.kind not in kinds:
        needed = " or ".join(kinds)
        raise SpecRefusedError(f"{run_id} is a run of {run.kind}, but one of {needed} is needed: name another.")
    return run


def newest_campaign(at: Workbench, space: str | None = None) -> Campaign:
    """The campaign created last, of a space where one is named.

    Raises:
        NotFoundError: there is no campaign.
    """
    found = find_newest_campaign(at, space)
    if found is None:
        of_space = f" of space {space}" if space else ""
        raise NotFoundError(f"There is no campaign{of_space} yet: open one with slim candidates.")
    return found


def find_newest_campaign(at: Workbench, space: str | None = None) -> Campaign | None:
    """The campaign created last, of a space where one is named; None where there is none."""
    known = [one for one in at.store.campaigns.all() if space in (None, one.space_run_id)]
    return max(known, key=lambda campaign: campaign.created_at, default=None)
