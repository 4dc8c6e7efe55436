"""What a step sees of its run: where to write, how to say how far it is, and when to stop.

The step's loop calls ``progress`` and ``check_stop`` at each batch; both only touch memory. One thread, the
``Heartbeat``, reads and writes the database: at most one write of progress a second, a check of the stop flag, and the
renewal of the lease, however long a batch takes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slim_core.errors import RunCanceledError, RunLostError, SlimError
from slim_core.formatting import done_of, in_percent, loss_in_words
from slim_core.models.runtime import Runtime
from slim_core.signals import SignalEvent, ThrottledWarning

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Store

log = logging.getLogger(__name__)

BEAT_S = 1.0
HOLD_S = 0.05  # between two looks whether a lease that may be over has been renewed
LINE_S = 60.0  # the log has a line at least this often
_OF_VAL = {"average": "average", "wga": "worst group"}  # of the validation metrics, in a line of the log
_SHARE_BEFORE_ESTIMATE = 0.02


class RunRequeuedError(RunLostError):
    """Raised inside a step whose worker shuts down: the run is queued again and resumes from its last checkpoint."""


class RunCutOffError(SlimError):
    """Raised inside a step that cannot pause although its lease may be over: it makes room for another attempt."""


@dataclass
class StepContext:
    """The step's side of its run. ``out`` is published when the step returns; ``checkpoint_dir`` outlives attempts."""

    store: Store
    run_id: str
    out: Path
    checkpoint_dir: Path
    device: str
    log: logging.Logger
    heartbeat: Heartbeat

    def __post_init__(self) -> None:
        self._lines = _Lines(self.log)

    def progress(self, done: int, total: int, phase: str, **values: Any) -> None:
        """Say how far the step is, as often as it likes: at most one write a second comes of it.

        Args:
            done: of total, in whatever the step counts (images, epochs).
            total: what done will be at the end.
            phase: what is being done, in a word or two.
            values: further plain values to show, such as epoch, train_loss or images_per_s.
        """
        progress = {"done": done, "total": total, "phase": phase, **values}
        self._lines.say(progress)
        self.heartbeat.report(progress)

    def check_stop(self) -> None:
        """Leave the step if it should end. Cheap: call it at every batch.

        It returns late where the lease may be over, since the database does not answer: then another worker may have
        the run by now, and nothing is computed beside it.

        Raises:
            RunCanceledError: someone asked the run to stop.
            RunLostError: the run belongs to another worker now, or must be queued again.
            RunCutOffError: as where it returns late, of a step that cannot pause.
        """
        self.heartbeat.check()

    def runtime(self, phase: str) -> Runtime:
        """Where a pass over images runs: on the run's device, reporting to it under the name of a phase."""
        return Runtime(
            device=self.device,
            on_progress=lambda done, total: self.progress(done, total, phase),
            check_stop=self.check_stop,
            checkpoint_dir=self.checkpoint_dir,
        )

    def table(self, dataset_id: str, shapes_seq: int | None = None) -> ImageTable:
        """The images of the run's data set, with what was drawn on them up to shape ``shapes_seq`` where one is named.

        Raises:
            DataRefusedError: they were moved, or changed since the import.
        """
        table = self.store.datasets.unchanged_table(dataset_id)
        return table if shapes_seq is None else table.with_drawn(self.store.shapes.drawings(dataset_id, shapes_seq))

    @property
    def is_forced(self) -> bool:
        """Whether the run was asked for although it may be there already (*Run again*, ``--force``)."""
        return self.store.runs.fetch(self.run_id).forced

    def parent(self, run_id: str) -> Path:
        """The published folder of a finished run."""
        return self.store.artifacts.folder(run_id)


@dataclass
class Heartbeat:
    """Keeps the database informed about one attempt, and the attempt about the database. A context manager.

    ``pauses``: whether a step that stays in ``check`` computes nothing, as it does not where it has processes of its
    own.
    """

    store: Store
    run_id: str
    token: str
    shutdown: SignalEvent = field(default_factory=SignalEvent)
    on_progress: Callable[[dict[str, Any]], None] | None = None
    pauses: bool = True

    def __post_init__(self) -> None:
        self._trouble = ThrottledWarning(log)  # that the beats meet
        self._ending: SlimError | None = None
        self._newest: dict[str, Any] | None = None  # the newest progress, until it is written
        self._newest_lock = threading.Lock()
        self._pace = _Pace()
        self._over = threading.Event()
        self._renewed_at = time.monotonic()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat of {self.run_id}", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def report(self, progress: dict[str, Any]) -> None:
        """Take note of progress; it is written at the next beat."""
        timed = self._pace.add_time_left(progress)
        with self._newest_lock:
            self._newest = timed
        if self.on_progress is not None:
            self.on_progress(timed)

    def check(self) -> None:
        """Raise what ends this attempt, if anything does; wait as long as its lease may be over."""
        self._raise_end()
        if self._may_be_over():
            self._hold()

    def _raise_end(self) -> None:
        if self.shutdown.is_set():
            raise RunRequeuedError(f"Run {self.run_id} is queued again: its worker is shutting down.")
        if self._ending is not None:
            raise self._ending

    def renew(self) -> None:
        """Write the newest progress now, and extend the lease.

        Raises:
            RunLostError: the run belongs to another attempt.
            StoreUnavailableError: the database is away, full or locked.
        """
        self.flush()
        self._renew()

    def _renew(self) -> None:
        asked_at = time.monotonic()  # the answer may come late, as that of a server that was frozen
        self.store.attempts.renew(self.run_id, self.token)
        self._renewed_at = asked_at

    def flush(self) -> None:
        """Write the newest progress now.

        Raises:
            RunLostError: the run belongs to another attempt.
        """
        with self._newest_lock:
            newest, self._newest = self._newest, None
        if newest is not None:
            self.store.attempts.progress(self.run_id, self.token, newest)

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S) and self._ending is None:
            try:
                self._exchange()
                self._trouble.end()
            except RunLostError as error:
                self._ending = error
            except SlimError as error:  # the database is away; from the end of the lease on the step waits for it
                self._trouble.warn(f"Run {self.run_id}: {error}")

    def _exchange(self) -> None:
        self.flush()
        if self.store.attempts.stop_requested(self.run_id):
            # "Not running" may also mean that the run was taken from us: renew raises then.
            self._renew()
            self._ending = RunCanceledError(f"Run {self.run_id} was asked to stop.")
        elif time.monotonic() - self._renewed_at >= self.store.settings.renew_s:
            self._renew()

    def _may_be_over(self) -> bool:
        """Whether the lease was not renewed in time, as far as is known here, and still can be.

        By this thread's clock: the one that renews it may itself wait for an answer of the database.
        """
        return time.monotonic() - self._renewed_at >= self.store.settings.lease_s and self._thread.is_alive()

    def _hold(self) -> None:
        """Stay here until the lease is renewed, or another attempt has the run: that is an error then."""
        silent = f"Run {self.run_id} could not renew its lease for {self.store.settings.lease_s:.0f} s"
        since, is_said = time.monotonic(), False
        while self._may_be_over():
            time.sleep(HOLD_S)
            self._raise_end()
            if is_said or time.monotonic() - since < 2 * BEAT_S:  # this process was suspended, or busy: a beat is due
                continue
            if not self.pauses:
                raise RunCutOffError(f"{silent}: its processes are ended, and it resumes from its last checkpoint.")
            log.warning("%s: it pauses until the database answers.", silent)
            is_said = True
        self._raise_end()
        if is_said:
            log.info("Run %s continues after a pause of %.0f s", self.run_id, time.monotonic() - since)


class _Lines:
    """Progress as lines of the log: one for each epoch that ends, and one a minute at least."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._last: dict[str, Any] = {}
        self._said_at = time.monotonic()

    def say(self, progress: dict[str, Any]) -> None:
        """Take note of progress; a line where it is time for one."""
        ended = self._last.get("epoch") not in (None, progress.get("epoch"))
        if ended:
            self._write(self._last)
        elif time.monotonic() - self._said_at >= LINE_S:
            self._write(progress)
        elif progress["done"] >= progress["total"] and progress.get("epoch") and progress.get("val") is not None:
            self._write(progress)  # the last epoch: nothing follows it
            progress = {}
        self._last = progress

    def _write(self, progress: dict[str, Any]) -> None:
        self._said_at = time.monotonic()
        epoch, loss, val = (progress.get(name) for name in ("epoch", "train_loss", "val"))
        of_val = [
            f"{name} {in_percent(val[key])}%" for key, name in _OF_VAL.items() if val and val.get(key) is not None
        ]
        parts = [
            f"epoch {epoch} of {progress['epochs']}" if epoch else progress["phase"],
            done_of(progress),
            f"loss {loss_in_words(loss, 4)}" if loss is not None else "",
            f"validation {', '.join(of_val)}" if of_val else "",
        ]
        self._log.info("%s", " · ".join(part for part in parts if part))


class _Pace:
    """Time left, from the pace since the phase's counting began."""

    def __init__(self) -> None:
        self._total: int | None = None
        self._first = 0
        self._since = 0.0

    def add_time_left(self, progress: dict[str, Any]) -> dict[str, Any]:
        """The progress with ``seconds_left``, None until enough is done for an estimate."""
        done, total = progress["done"], progress["total"]
        now = time.monotonic()
        if total != self._total or done < self._first:
            self._total, self._first, self._since = total, done, now
        counted = done - self._first
        known = total > 0 and counted >= _SHARE_BEFORE_ESTIMATE * total and counted > 0
        left = (now - self._since) / counted * (total - done) if known else None
        return {**progress, "seconds_left": None if left is None else round(left, 1)}
