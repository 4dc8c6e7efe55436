"""Runs a study: unit after unit in this process, in several processes, or through the queue. Safe to run twice.

Runs that are done are found again by their specs, so an interrupted study goes on where it was. A case that fails keeps
its sentence, and the others go on. What each case came to is in the store as soon as it is known.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from slim_core.data.sets import make_set
from slim_core.errors import QueueUnavailableError, SlimError
from slim_core.metrics import GROUPS, RATES, WGA
from slim_core.runs.executor import InProcess, Submitter, Workbench
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import METHODS
from slim_core.runs.study.awaited import outlasting, threads_at, until
from slim_core.runs.study.cases import Case, Unit, cases, units
from slim_core.runs.study.sets import as_kept, check_groups, data_of, with_models
from slim_core.runs.study.spec import Study
from slim_core.runs.whole_loop import Loop, Outcome
from slim_core.settings import Settings
from slim_core.signal_event import SignalEvent
from slim_core.steps.train.recipes import default_model
from slim_core.store import Store, StoreUnavailableError
from slim_core.store.database import DatabaseAwayError

if TYPE_CHECKING:
    from slim_core.data.progress import Progress as FilesProgress
    from slim_core.steps.specs import Spec
    from slim_core.store import Dataset, Run

log = logging.getLogger(__name__)
_interrupted = SignalEvent()  # in a process of the pool: the study was interrupted

DONE, FAILED = "done", "failed"
POLL_S = 1.0
_NUMBERS = (*RATES, "n_answers", "answers_share", "images", "images_unique", "seconds")  # of several draws, their means
_OF_DRAW = (WGA, "average", "images", "images_unique", "model", "evaluation")
Entry = dict[str, Any]  # what a case came to, as store.studies keeps it


@dataclass(frozen=True)
class Progress:
    """A case has ended."""

    entry: Entry
    done: int
    total: int
    left_s: float | None  # None: not known yet, as no case was computed now


Report = Callable[[Progress], None]


def run_study(
    at: Workbench, study: Study, *, jobs: int = 1, threads: int = 1, report: Report = lambda _progress: None
) -> str:
    """Compute every case of a study that is not computed yet; returns the study's id.

    Args:
        at: the store, and what executes the runs.
        study: what is asked for.
        jobs: units at a time: in processes of their own, or through the queue.
        threads: of torch, in each process; other numbers may give other last digits. No effect through the queue.
        report: called with each case that has ended.

    Raises:
        SpecRefusedError: a method needs groups, and no set of the study has them; or a set cannot be drawn.
        DataRefusedError, NotFoundError: a set for which no model is named cannot be read, so that none is proposed.
        QueueUnavailableError, StoreUnavailableError: nothing can be computed or kept now.
    """
    check_groups(at, study)
    for one in study.sets:
        if one.set is not None:
            make_set(one.set, **one.parameters).require()
    every = cases(study)
    is_new = all(one.digest != study.digest for one in at.store.studies.all())
    spec = (with_models(at, study) if is_new else study).every_field()
    kept = at.store.studies.start(study.name, study.digest, spec, len(every), at.by)
    study = as_kept(study, kept.spec)
    todo = units(study)
    meter = _Meter(every, report)
    if jobs > 1:
        with _pool(at, min(jobs, len(todo)), threads) as (pool, do_unit):
            futures = [pool.submit(do_unit, study, unit, kept.id) for unit in todo]
            _await(futures, lambda: meter.catch_up(at.store.studies.entries(kept.id, kept.started_at)))
    else:
        with _torch_threads(at, threads):
            for unit in todo:
                run_unit(at, study, unit, kept.id, meter.add)
    outlasting(partial(at.store.studies.finish, kept.id))
    return kept.id


def run_unit(
    at: Workbench,
    study: Study,
    unit: Unit,
    study_id: str,
    ended: Callable[[Entry], None] = lambda _entry: None,
    progress: FilesProgress | None = None,
) -> None:
    """Every case of a unit, one after another, each kept as soon as it has ended. ``progress``: as ``data_of``."""
    runner = _UnitRunner(at, study, unit, study_id, progress)
    for case in unit.cases:
        entry = outlasting(partial(runner.entry, case), progress)
        outlasting(partial(at.store.studies.record, study_id, case.key, entry), progress)
        ended(entry)


@dataclass
class _UnitRunner:
    """Computes the cases of one set and seed."""

    at: Workbench
    study: Study
    unit: Unit
    study_id: str
    progress: FilesProgress | None
    _dataset: Dataset | None = None
    _loops: dict[tuple[str, float, str, int], Loop] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._watched = _Watched(self.at.submitter)

    def entry(self, case: Case) -> Entry:
        """What a case comes to; a failure is a sentence."""
        started, self._watched.has_waited = time.monotonic(), False
        try:
            found = self._outcome(case)
        except (QueueUnavailableError, StoreUnavailableError):
            raise
        except SlimError as error:
            found = {"status": FAILED, "message": str(error)}
        except Exception as error:  # the border of a case: one method's fault must not lose the others' numbers
            log.exception("%s failed", case.key)
            found = {"status": FAILED, "message": f"{type(error).__name__}: {error} (see the log)."}
        waited_s = round(time.monotonic() - started, 2) if self._watched.has_waited else 0.0
        return {**asdict(case), **_about(case.method), **found, "waited_s": waited_s}

    def _outcome(self, case: Case) -> Entry:
        n_draws = self.study.draws if METHODS[case.method].is_drawn else 1
        return _over_draws([self._loop(case, draw).outcome(case.method) for draw in range(n_draws)])

    def _loop(self, case: Case, draw: int) -> Loop:
        own = case.method if self.unit.set.is_set_apart(case.method) else ""
        key = (case.annotator, case.answers, own, draw)
        if key not in self._loops:
            self._loops[key] = Loop(Workbench(self.at.store, self._watched), self._config(case, draw))
        return self._loops[key]

    def _config(self, case: Case, draw: int) -> LoopConfig:
        asked = self.unit.set
        if self._dataset is None:
            found = data_of(self.at, asked, self.unit.seed, self.progress)
            self.at.store.studies.link(self.study_id, found.id)
            self._dataset = found
        annotator = next((one for one in self.study.annotators if one.name == case.annotator), None)
        return LoopConfig(
            dataset=self._dataset.id,
            seed=self.unit.seed,
            draw=draw,
            answers=case.answers or self.study.answers,
            model=asked.model or default_model(self._dataset),
            reference_epochs=asked.reference_epochs,
            converged=self.study.converged,
            retrain=asked.retrain,
            frozen=asked.frozen,
            maps_on_test=asked.maps_on_test,
            size=asked.size,
            flip=annotator.flip if annotator else 0.0,
            unsure=annotator.unsure if annotator else 0.0,
            train=asked.train_of(case.method),
            options=asked.curation,
            refit_options=asked.refit_by_method.get(case.method, {}),
        )


@dataclass
class _Watched:
    """Submits and waits by another submitter; notes whether there was a run to wait for, or all were done before."""

    inner: Submitter
    has_waited: bool = False

    @property
    def by(self) -> str:
        """As of the other."""
        return self.inner.by

    def submit(self, spec: Spec, **options: Any) -> Run:
        """As the other does."""
        return self.inner.submit(spec, **options)

    def wait(self, run: Run) -> Run:
        """As the other does."""
        self.has_waited |= not run.ended
        return self.inner.wait(run)

    def has_gpu(self) -> bool:
        """As of the other."""
        return self.inner.has_gpu()


def _over_draws(draws: Sequence[Outcome]) -> Entry:
    """What the draws of a case came to: of one all that is known, of several the mean of each number, and each draw."""
    first, *more = [_one(outcome) for outcome in draws]
    if not more:
        return first
    every = [first, *more]
    numbers = {name: _mean_of([each[name] for each in every]) for name in _NUMBERS}
    kept = {name: first[name] for name in first if name != GROUPS}  # its runs are those of the first draw
    return {**kept, **numbers, "draws": [{name: each[name] for name in _OF_DRAW} for each in every]}


def _one(outcome: Outcome) -> Entry:
    found = outcome.to_json()
    found["n_answers"] = found.pop("answers")  # ``answers`` is the share that was asked for
    return {"status": DONE, **found, "model": outcome.model.id, "evaluation": outcome.evaluation.id}


def _mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _about(method: str) -> Entry:
    """What a table says of a method; ``zero_of``: the methods that are this one where nobody answers."""
    zero_of = [name for name, one in METHODS.items() if one.unanswered == method]
    return {"label": METHODS[method].label, "labels_used": METHODS[method].labels_used, "zero_of": zero_of}


class _Meter:
    """Counts ended cases, and estimates the time left from cases of the same set and method that were computed now."""

    def __init__(self, todo: list[Case], report: Report) -> None:
        self._todo = {case.key: case for case in todo}
        self._total, self._report = len(todo), report
        self._spent: dict[tuple[str, str], list[float]] = {}
        self._began: float | None = None  # when the first that was computed now did; those before it were there

    def add(self, entry: Entry) -> None:
        """A case has ended."""
        self._todo.pop(Case(**{name: entry[name] for name in Case.__dataclass_fields__}).key, None)
        if entry["waited_s"]:
            self._began = self._began or time.monotonic() - entry["waited_s"]
            self._spent.setdefault((entry["set"], entry["method"]), []).append(entry["waited_s"])
        self._report(Progress(entry, self._total - len(self._todo), self._total, self._left()))

    def catch_up(self, entries: Mapping[str, Entry]) -> None:
        """All that have ended so far."""
        for key, entry in entries.items():
            if key in self._todo:
                self.add(entry)

    def _left(self) -> float | None:
        every = [seconds for each in self._spent.values() for seconds in each]
        if self._began is None:
            return None
        usual = sum(every) / len(every)
        left = sum(_mean(self._spent.get((case.set, case.method)), usual) for case in self._todo.values())
        at_a_time = max(1.0, sum(every) / (time.monotonic() - self._began))
        return left / at_a_time


def _mean(values: list[float] | None, otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _await(futures: list[Future[None]], look: Callable[[], None]) -> None:
    """Until all are done or one raises; ``look`` now and then."""
    pending = set(futures)
    try:
        while pending:
            done, pending = wait(pending, timeout=POLL_S, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            with suppress(DatabaseAwayError):  # those who compute say so, and go on once it is back
                look()
    except BaseException:
        for future in pending:
            future.cancel()
        raise


@contextmanager
def _pool(at: Workbench, jobs: int, threads: int) -> Iterator[tuple[Executor, Callable[..., None]]]:
    """What takes several units at a time, and what does one: processes, or threads that wait for the queue."""
    if isinstance(at.submitter, InProcess):
        with _processes(jobs, threads) as pool:
            yield pool, partial(_unit_in_process, at.store.settings, at.submitter.device_asked, at.by)
    else:
        with threads_at(at, jobs) as (threads_pool, awaiting, progress):
            yield threads_pool, partial(run_unit, awaiting, progress=progress)


@contextmanager
def _processes(jobs: int, threads: int) -> Iterator[Executor]:
    """Processes that each have a workbench of their own; spawned, for torch must not be forked.

    Where this process is interrupted, theirs queue their runs again and end.
    """
    context = multiprocessing.get_context("spawn")
    ends, end = context.Pipe(duplex=False)  # whose end all of them see, also where one of them was killed
    try:
        with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(threads, ends)) as pool:
            try:
                with _deaf_to_ctrl_c():  # they inherit it: a terminal tells all, but it is this process that tells them
                    for _ in range(jobs):  # each that finds none idle starts one
                        pool.submit(os.getpid)
                yield pool
            except BaseException:
                end.close()
                raise
    except BrokenProcessPool as error:
        raise SlimError(
            f"A process of the study was killed, perhaps for want of memory: start the study again with fewer than "
            f"{jobs} jobs; it resumes where it stopped."
        ) from error


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _unit_in_process(settings: Settings, device: str | None, by: str, study: Study, unit: Unit, study_id: str) -> None:
    if _interrupted.is_set():  # while it waited to be begun
        return
    store = Store.open(settings)
    try:
        submitter = InProcess(store, device=device, by=by, interrupted=_interrupted)
        run_unit(Workbench(store, submitter), study, unit, study_id, progress=until(_interrupted.is_set))
    finally:
        store.close()


def _begin(threads: int, ends: Connection) -> None:
    """In a process of the pool: its threads of torch, and that it ends with what started it."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of one that was started later, too
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threading.Thread(target=_interrupt_with_parent, args=(ends,), daemon=True).start()


def _interrupt_with_parent(ends: Connection) -> None:
    ends.poll(None)
    _interrupted.set()


def _end_with_parent() -> None:
    """A parent that is killed cannot end its processes: they would go on computing, and nobody would know."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _torch_threads(at: Workbench, threads: int) -> Iterator[None]:
    """In this process, and as before afterwards."""
    if not isinstance(at.submitter, InProcess):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
