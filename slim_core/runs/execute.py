"""Do a claimed run in this process: its log, its lease, its tracking, its end."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from slim_core import result_files
from slim_core.errors import (
    MemoryRefusedError,
    RunCanceledError,
    RunLostError,
    SlimError,
    first_line,
    is_full_disk,
)
from slim_core.signals import SignalEvent, ThrottledWarning
from slim_core.steps.context import Heartbeat, RunCutOffError, RunRequeuedError, StepContext
from slim_core.steps.specs import STEPS, parse_spec
from slim_core.store.database import DatabaseAwayError, StoreUnavailableError
from slim_core.store.remote import RemoteAwayError
from slim_core.store.results import ModelResult
from slim_core.version import code_version, package_version

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from slim_core.store import Run, Store


SLEPT_S = 5.0  # between two looks, which are a second apart at most


class LeaseGrace:
    """Looked at again and again by whoever takes runs from processes that do not renew their leases.

    Look when the database has answered a moment ago: so an outage is as long a pause between two looks as a sleep.
    """

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._looked_at = time.time()  # by the clock that goes on while a machine sleeps
        self._woke_at: float | None = None  # monotonic seconds
        self._was_long = False  # the pause before the last look

    def is_active(self) -> bool:
        """Whether this process was suspended, as with its machine, or waited for the database, and others may not have
        renewed yet.

        They have the length of a lease for it. Then it is over, though looks may always be so far apart here.
        """
        slept_s, self._looked_at = time.time() - self._looked_at, time.time()
        is_long = slept_s > min(SLEPT_S, self._lease_s / 2)  # it is renewed three times a lease
        is_another = slept_s > self._lease_s / 2 and not self._was_long  # outage, soon after the last: leases end by it
        self._was_long = is_long
        if is_another or (is_long and self._woke_at is None):
            self._woke_at = time.monotonic()
        if self._woke_at is None or time.monotonic() - self._woke_at >= self._lease_s:
            self._woke_at = None
        return self._woke_at is not None

    def begin(self) -> None:
        """Nobody could renew until now, as is known: the database was away, or its disk full."""
        self._woke_at = time.monotonic()


log = logging.getLogger(__name__)

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_OURS = ("slim", "slim_core")


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Everything that is logged meanwhile also goes to a file, line by line, so that it can be followed.

    A disk that cannot take it, full or gone, raises nothing here: one warning at the end says so.
    """
    handler = _Lenient(path)
    root = logging.getLogger()
    before = {name: logging.getLogger(name).level for name in _OURS}
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    root.addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
        logging.captureWarnings(False)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
        if handler.error is not None:
            log.warning("The log %s lacks lines (%s): free some space on its disk.", path, handler.error.strerror)


class _Lenient(logging.FileHandler):
    """Remembers that a line could not be written, instead of a traceback a line and one at the end."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", delay=True)  # opened by the first line, so that a failure is one of it
        self.setFormatter(logging.Formatter(_FORMAT))
        self.setLevel(logging.INFO)
        self.error: OSError | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, where the file can be opened."""
        try:
            super().emit(record)
        except OSError as error:
            self.error = error

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name logging gives it)
        """A line that could not be written."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self.error = error
        else:  # an error in the code that logs
            super().handleError(record)

    def close(self) -> None:
        """Close the file, even where its last lines find no room."""
        try:
            super().close()
        except OSError as error:
            self.error = error


EXPERIMENT = "SLIM Studio"
RUN_ID = "slim.run_id"
_FILES = (result_files.METRICS, result_files.SPEC, result_files.HISTORY, result_files.ENVIRONMENT)
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": 10, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": 1}  # else minutes, where it is gone
_LONGEST_VALUE = 6000  # characters of a parameter
_BATCH = {"params": 100, "metrics": 1000}  # the most one request may hold


def missing(uri: str | None) -> str | None:
    """What to do where runs are to be logged and the package is not there; None where all is well."""
    if uri is None or importlib.util.find_spec("mlflow") is not None:
        return None
    return "SLIM_MLFLOW_TRACKING_URI is set, but MLflow is not installed: pip install mlflow-skinny."


def record(store: Store, run: Run) -> None:
    """Log a finished run, once; shards are not logged. Never raises."""
    uri = store.settings.mlflow_tracking_uri
    if uri is None or missing(uri) or run.status != "done" or run.shard_of is not None:
        return
    try:
        _record(_client(uri), store, run)
    except Exception as error:  # the border of a foreign package and of a server: the run is done all the same
        log.warning("Run %s is done but could not be logged to MLflow: %s", run.id, first_line(error))


def _client(uri: str) -> Any:
    mlflow = importlib.import_module("mlflow")
    variables = importlib.import_module("mlflow.environment_variables")
    for name, value in _PATIENCE.items():
        variable = getattr(variables, name)
        if not variable.is_set():
            variable.set(value)
    return mlflow.MlflowClient(tracking_uri=uri)


def _record(client: Any, store: Store, run: Run) -> None:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
    if client.search_runs([experiment_id], filter_string=f"tags.`{RUN_ID}` = '{run.id}'", max_results=1):
        return
    began, ended = (_milliseconds(moment) for moment in (run.started_at, run.finished_at))
    made = client.create_run(experiment_id, start_time=began, tags=tags(store, run), run_name=run.name)
    folder = store.artifacts.folder(run.id)
    _log(client, made.info.run_id, run, ModelResult(folder).history())
    for name in _FILES:
        if (folder / name).exists():
            client.log_artifact(made.info.run_id, str(folder / name))
    client.set_terminated(made.info.run_id, "FINISHED", end_time=ended)


def _log(client: Any, mlflow_id: str, run: Run, history: list[dict[str, Any]]) -> None:
    entities = importlib.import_module("mlflow.entities")
    at = _milliseconds(run.finished_at)
    params = [entities.Param(key, str(value)[:_LONGEST_VALUE]) for key, value in leaves(run.spec)]
    metrics = [entities.Metric(key, value, at, 0) for key, value in numbers(run.metrics or {})]
    for entry in history:
        step = int(entry.get("epoch", 0))
        metrics += [entities.Metric(key, value, at, step) for key, value in numbers(entry) if key != "epoch"]
    for first in range(0, len(params), _BATCH["params"]):
        client.log_batch(mlflow_id, params=params[first : first + _BATCH["params"]])
    for first in range(0, len(metrics), _BATCH["metrics"]):
        client.log_batch(mlflow_id, metrics=metrics[first : first + _BATCH["metrics"]])


def tags(store: Store, run: Run) -> dict[str, str]:
    """Where the run comes from."""
    parents = ", ".join(f"{role} {parent.id}" for role, parent in store.runs.parents(run.id))
    found = {
        RUN_ID: run.id,
        "slim.kind": run.kind,
        "slim.dataset": store.datasets.fetch(run.dataset_id).name,
        "slim.code_version": run.code_version,
        "slim.device": run.device,
        "slim.parents": parents,
        "mlflow.user": run.created_by,
    }
    return {key: value for key, value in found.items() if value}


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """("options.threshold", 0.6) of {"options": {"threshold": 0.6}}; a part of a list goes by its name or its place."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from leaves(part, f"{name}.{_legal(key)}" if name else _legal(key))
    elif isinstance(value, list) and any(isinstance(part, Mapping | list) for part in value):
        for place, part in enumerate(value):
            own = part.get("name", place) if isinstance(part, Mapping) else place
            yield from leaves(part, f"{name}.{_legal(own)}")
    elif value is not None:
        yield name, value


def numbers(value: Any) -> Iterator[tuple[str, float]]:
    """The leaves that are numbers."""
    for name, leaf in leaves(value):
        if isinstance(leaf, int | float) and not isinstance(leaf, bool):
            yield name, float(leaf)


def _legal(key: object) -> str:
    return re.sub(r"[^\w\-. :/]", "_", str(key))


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)


PATIENCE_S = 600.0  # of a worker, while an end cannot be recorded
_PACKAGES = ("torch", "torchvision", "numpy", "pandas", "scikit-learn", "scipy", "umap-learn", "pillow")


def execute(
    store: Store,
    run_id: str,
    *,
    worker: str,
    device: str,
    on_progress: Callable[[dict[str, Any]], None] | None = None,
    shutdown: SignalEvent | None = None,
    patience_s: float = PATIENCE_S,
) -> Run:
    """Do a queued run here and now.

    Args:
        store: where the run is.
        run_id: which run.
        worker: name of who does it, for the jobs page.
        device: what torch computes on, such as "cpu" or "cuda".
        on_progress: called at each report of the step, in this process.
        shutdown: set it to have the run stop soon and queued again, as a worker does that shuts down.
        patience_s: how long to try to record an end where the database is away or its disk is full.

    Returns:
        The run as it ended: done, failed, canceled, or queued again (``shutdown``). A run that was taken over by
        another attempt meanwhile is returned as that attempt has it.

    Raises:
        ConflictError: it is not queued any more, or waits for another run.
        NotFoundError: there is no such run.
        StoreUnavailableError: its end could not be recorded; the run is queued again once its lease is over.
    """
    store.runs.fetch(run_id)
    token = store.attempts.claim(run_id, worker, device, code_version())
    return perform(
        store,
        run_id,
        token,
        device=device,
        on_progress=on_progress,
        shutdown=shutdown,
        patience_s=patience_s,
    )


def perform(
    store: Store,
    run_id: str,
    token: str,
    *,
    device: str,
    on_progress: Callable[[dict[str, Any]], None] | None = None,
    shutdown: SignalEvent | None = None,
    patience_s: float = PATIENCE_S,
) -> Run:
    """Do a run that was claimed with this token; otherwise as ``execute``."""
    run = store.runs.fetch(run_id)
    alone = run.processes == 1
    heartbeat = Heartbeat(store, run_id, token, shutdown or SignalEvent(), on_progress, pauses=alone)
    pauses = _pauses(patience_s)
    try:
        out = store.artifacts.attempt(run_id, run.attempt)
    except SlimError as error:  # not even room for a folder
        message, kind = str(error), type(error).__name__
        _end(run, pauses, lambda: store.attempts.fail(run_id, token, message, error=kind))
        return store.runs.fetch(run_id)
    with log_file(out / result_files.LOG):
        _settle(store, run, token, out, pauses, lambda: _attempt(store, run, out, device, heartbeat, pauses))
        ended = store.runs.fetch(run_id)
        record(store, ended)
    return ended


def _attempt(store: Store, run: Run, out: Path, device: str, heartbeat: Heartbeat, pauses: Iterator[float]) -> None:
    """Do the step, and record that it is done."""
    started = time.monotonic()
    _forget_peak()
    log.info("%s %s, attempt %d, on %s of %s", run.kind, run.id, run.attempt, device, run.worker)
    untracked = missing(store.settings.mlflow_tracking_uri)
    if untracked:
        log.warning(untracked)
    context = StepContext(
        store,
        run.id,
        out,
        store.artifacts.checkpoints(run.id),
        device,
        logging.getLogger(f"slim.{run.kind}"),
        heartbeat,
    )
    with heartbeat:
        spec = parse_spec(run.spec)
        step = STEPS[run.kind].load()
        _write_json(out / result_files.SPEC, run.spec)
        _write_json(out / result_files.ENVIRONMENT, environment(run))
        heartbeat.check()
        _patiently(run, pauses, heartbeat, store.artifacts.require_place)  # before hours are computed for nothing
        metrics = step(spec, context)
        heartbeat.check()
        log.info("done in %.1f s", time.monotonic() - started)
        _write_json(out / result_files.METRICS, metrics)
        _patiently(run, pauses, heartbeat, heartbeat.renew, StoreUnavailableError)  # publish only what is still ours
        _patiently(run, pauses, heartbeat, lambda: store.artifacts.publish(run.id, run.attempt))
        _end(run, pauses, lambda: store.attempts.finish(run.id, heartbeat.token, metrics, peak_memory_mb(run)))


def _settle(
    store: Store, run: Run, token: str, out: Path, pauses: Iterator[float], attempt: Callable[[], None]
) -> None:
    """Make the attempt; whatever ends it early becomes the run's state."""
    try:
        attempt()
    except RunCanceledError:
        log.info("stopped as asked")
        _end(run, pauses, lambda: store.attempts.cancel(run.id, token))
    except RunRequeuedError:
        log.info("queued again: the worker shuts down")
        _end(run, pauses, lambda: store.attempts.requeue(run.id, token))
    except RunLostError as error:
        log.warning("%s", error)
    except KeyboardInterrupt:  # of a person who pressed Ctrl-C again, and reads that the same command resumes the run
        log.info("queued again: interrupted")
        _end(run, pauses, lambda: store.attempts.requeue(run.id, token))
        raise
    except (DatabaseAwayError, RunCutOffError) as error:  # what the step had computed lies in its checkpoint
        log.warning("%s", error)
        counts = store.database.answers()  # else it is an outage, which says nothing of the run
        why = "lost the database while it computed"
        _end(run, pauses, lambda: store.attempts.lose(run.id, token, why, counts=counts))
    except Exception as error:  # the border of the step: its failure is the run's, and must not end the worker
        if (lost := _lost(store, run, token)) is not None:
            return log.warning("%s", lost)
        message, kind = sentence(error, run), type(error).__name__
        if isinstance(error, SlimError):  # what a user can mend is said whole: where it was raised says nothing more
            log.error("%s", message)
        else:
            log.exception("the step failed")
        if isinstance(error, MemoryRefusedError) and error.remedy:
            _note_remedy(error, out)
        _end(run, pauses, lambda: store.attempts.fail(run.id, token, message, peak_memory_mb(run), kind))


def _lost(store: Store, run: Run, token: str) -> RunLostError | None:
    """That the run belongs to another attempt, where it does: a failure of this one says nothing of the step.

    The other may be over, and the folders gone in which this one worked: its machine slept, or it was suspended.
    """
    try:
        store.attempts.renew(run.id, token)
    except RunLostError as lost:
        return lost
    except SlimError:  # the database is away: not known
        return None
    return None


def _note_remedy(error: MemoryRefusedError, out: Path) -> None:
    try:
        _write_json(out / result_files.REMEDY, error.remedy)
    except OSError as full:  # the message says it, too
        log.warning("The remedy could not be kept: %s", full)


def _pauses(patience_s: float) -> Iterator[float]:
    """Seconds between the tries to record how a run ended, short ones first; all its tries share them."""
    for pause_s in chain((0.5, 1.0), repeat(3.0)):
        if patience_s <= 0:
            return
        yield min(pause_s, patience_s)
        patience_s -= pause_s


def _patiently(
    run: Run,
    pauses: Iterator[float],
    heartbeat: Heartbeat,
    act: Callable[[], object],
    of: type[StoreUnavailableError] = RemoteAwayError,
) -> None:
    """With patience ``of`` an error, by default where the server of the artifacts is away.

    A run that is stopped meanwhile, or that another attempt has, waits no longer.
    """
    while True:
        try:
            act()
            return
        except of as error:
            if (pause_s := next(pauses, None)) is None:
                raise
            log.warning("Run %s waits: %s", run.id, error)
        time.sleep(pause_s)
        heartbeat.check()


def _end(run: Run, pauses: Iterator[float], write: Callable[[], object]) -> None:
    """Record an end, with patience where the database is away or its disk is full: the work is done."""
    trouble = ThrottledWarning(log)
    for pause_s in chain(pauses, (None,)):
        try:
            write()
            return
        except RunLostError as error:
            return log.warning("%s", error)
        except SlimError as error:
            if pause_s is None:
                raise
            trouble.warn(f"The end of run {run.id} cannot be recorded: {error} It is tried again.")
            time.sleep(pause_s)


def sentence(error: Exception, run: Run) -> str:
    """What the run's row says about an error: the text of a SlimError, else what to do about the usual causes."""
    if isinstance(error, SlimError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return out_of_memory(run)
    if (full := _of_full_disk(error)) is not None:
        writing = f" It was writing {full.filename}." if full.filename else ""
        return f"The disk is full: free some space and retry; the run resumes from its last checkpoint.{writing}"
    lines = str(error).strip().splitlines() or [""]
    return f"The step failed with {type(error).__name__}: {lines[0] or 'no message'} (see the log)."


def _of_full_disk(error: BaseException | None) -> OSError | None:
    """The error of a full disk that an error is or came of: torch.save fails by another one as it ends its file."""
    while error is not None:
        if is_full_disk(error):
            return error
        error = error.__cause__ or error.__context__
    return None


def out_of_memory(run: Run) -> str:
    """What to do about memory that did not suffice: which batch size to try next, where the step has one."""
    batch_size = run.spec.get("batch_size")
    if isinstance(batch_size, int) and batch_size > 1:
        return f"Memory ran out at batch_size {batch_size}: submit it again with batch_size {batch_size // 2}."
    return "Memory ran out: end other programs or use a machine with more memory, then retry."


def environment(run: Run) -> dict[str, Any]:
    """What a result depends on beside the spec: versions of code and packages, machine, seed."""
    return {
        "code_version": code_version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: package_version(name) for name in _PACKAGES},
        "seed": run.spec.get("seed"),
        "device": run.device,
        "worker": run.worker,
        "attempt": run.attempt,
    }


def peak_memory_mb(run: Run) -> float:
    """The most memory that a process of the attempt held at once, in MiB."""
    of_children = _largest(of_children=True) if run.processes > 1 else 0.0
    return round(max(_own_peak(), of_children), 1)


def _own_peak() -> float:
    """The most memory of this process alone, in MiB.

    getrusage also counts what the process that started it held (Linux, execve(2)).
    """
    with suppress(OSError):  # no Linux
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return _largest(of_children=False)


def _largest(*, of_children: bool) -> float:
    if resource is None:
        return 0.0 if of_children else psutil.Process().memory_info().rss / 2**20
    whose = resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF
    unit = 1024 if sys.platform != "darwin" else 1024**2  # KiB on Linux, bytes on macOS
    return resource.getrusage(whose).ru_maxrss / unit


def _forget_peak() -> None:
    """Let the memory of this process count from now on: a command does many runs in one, the largest maybe first."""
    with suppress(OSError):  # no Linux, or not allowed to (proc(5), clear_refs)
        Path("/proc/self/clear_refs").write_text("5")


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
