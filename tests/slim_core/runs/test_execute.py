"""One attempt at a run, in this process: how each end of a step is recorded."""

from __future__ import annotations

import json
import logging
import mmap
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import pytest

from slim_core import signals
from slim_core.data.importing import import_data
from slim_core.errors import (
    ConflictError,
    MemoryRefusedError,
    NotFoundError,
    NothingToRepeatError,
    RunCanceledError,
    RunLostError,
    SlimError,
    SpecRefusedError,
)
from slim_core.runs import execute as execution
from slim_core.runs.execute import PATIENCE_S, _pauses, execute
from slim_core.runs.executor import require_done
from slim_core.settings import Settings
from slim_core.steps.context import StepContext, _Pace
from slim_core.steps.specs import STEPS, QueueName, Spec, Step
from slim_core.store import Run, Store, StoreUnavailableError
from slim_core.store.database import DatabaseAwayError
from slim_core.store.results import recorded_remedy
from slim_core.store.runs.attempts import MAX_LOSSES
from tests.refusals import missing
from tests.small_disk import mounted


class Probe(Spec):
    """A step whose work is a function of the test."""

    queue: ClassVar[QueueName] = "cpu"
    kind: Literal["probe"] = "probe"
    batch_size: int = 64
    processes: int = 1


@pytest.fixture
def store(new_home: Path, small_demo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with one data set; leases are short enough to be renewed within a test."""
    monkeypatch.setattr(Settings, "renew_s", 0.05)
    settings = Settings(home=new_home, data_roots=(small_demo,))
    opened = Store.open(settings)
    opened.datasets.register(import_data(small_demo, settings=settings))
    yield opened
    opened.close()


@pytest.fixture
def brief(store: Store) -> Iterator[Store]:
    """The same, with leases that are over at once where they are not renewed."""
    opened = Store.open(store.settings.model_copy(update={"lease_s": 0.3}))
    yield opened
    opened.close()


@pytest.fixture
def attempt(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Executes a new probe whose step is the given function."""
    monkeypatch.setattr("slim_core.steps.context.BEAT_S", 0.02)

    def run(step: Callable[[Probe, StepContext], dict[str, Any]], run: Run | None = None, **options: Any) -> Run:
        known = Step("probe", Probe, "unused:unused")
        monkeypatch.setitem(STEPS, "probe", known)
        monkeypatch.setattr(Step, "load", lambda self: step if self is known else pytest.fail("another step"))
        run = run or store.runs.submit(Probe(dataset=store.datasets.all()[0].id), force=True)[0]
        return execute(options.pop("store", store), run.id, worker="tester", device="cpu", **options)

    return run


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def held(n: int) -> int:
    """So many bytes, for a moment; not on the heap, which keeps for itself what was freed (slim_core.models.heap)."""
    with mmap.mmap(-1, n) as memory:
        for start in range(0, n, 1 << 20):
            memory[start : start + (1 << 20)] = b"x" * (1 << 20)
    return n


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux alone can forget a peak")
def test_the_memory_of_a_run_is_not_that_of_one_before_it_in_the_same_process(attempt):
    before = attempt(lambda *_: {"n": held(400 << 20)})
    after = attempt(lambda *_: {"n": 0})
    assert 0 < after.peak_memory_mb < before.peak_memory_mb - 200


@pytest.mark.slow
def test_the_memory_of_a_training_in_several_processes_is_that_of_the_largest():
    lines = (
        "import subprocess, sys",
        "from types import SimpleNamespace as Run",
        "from slim_core.runs.execute import peak_memory_mb",
        "subprocess.run([sys.executable, '-c', 'len(bytes([1]) * (600 << 20))'], check=True)",
        "print(peak_memory_mb(Run(processes=1)), peak_memory_mb(Run(processes=2)))",
    )
    ended = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    own, largest = map(float, ended.stdout.split())
    assert own < 600 <= largest


def test_a_step_that_returns_is_done_and_everything_it_wrote_is_published(store, attempt):
    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        (context.out / "answer.txt").write_text("42")
        context.log.info("thinking")
        logging.getLogger("slim_core.anything").info("helping")
        return {"answer": 42}

    run = attempt(step)

    assert run.status == "done" and run.metrics == {"answer": 42} and run.message is None
    assert run.worker == "tester" and run.device == "cpu" and run.code_version == execution.code_version()
    assert run.peak_memory_mb > 1
    folder = store.artifacts.folder(run.id)
    assert (folder / "answer.txt").read_text() == "42"
    assert json.loads((folder / "spec.json").read_text())["kind"] == "probe"
    assert json.loads((folder / "metrics.json").read_text()) == {"answer": 42}
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["seed"] == 0 and environment["packages"]["numpy"]
    log = (folder / "log.txt").read_text()
    assert "thinking" in log and "helping" in log


def test_a_refusal_fails_with_its_sentence_and_publishes_nothing(store, attempt):
    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        (context.out / "half.txt").write_text("half")
        raise SpecRefusedError("Too large: take less.")

    run = attempt(step)

    assert run.status == "failed" and run.message == "Too large: take less."
    with pytest.raises(NotFoundError):
        store.artifacts.folder(run.id)


def test_the_log_of_a_refused_step_ends_with_the_sentence_and_no_traceback(store, attempt):
    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        context.log.info("thinking")
        raise SpecRefusedError("Too large: take less.") from ValueError("of no interest")

    log = store.artifacts.log(attempt(step).id).read_text()

    assert "thinking" in log and log.endswith("ERROR   slim_core.runs.execute: Too large: take less.\n")
    assert "Traceback" not in log and "of no interest" not in log


def test_a_batch_that_does_not_fit_leaves_what_would_beside_its_log(store, attempt):
    def step(_spec: Probe, _context: StepContext) -> dict[str, Any]:
        raise MemoryRefusedError("Too large: take parts.", {"batch_size": 16})

    run = attempt(step)

    assert (run.status, run.message) == ("failed", "Too large: take parts.")
    assert recorded_remedy(store.artifacts.log(run.id).parent) == {"batch_size": 16}


@pytest.mark.parametrize(
    ("raised", "again"),
    [(NothingToRepeatError("None."), NothingToRepeatError), (SpecRefusedError("None."), SlimError)],
)
def test_whoever_awaits_a_run_that_failed_can_tell_by_the_error_that_nothing_was_to_repeat(attempt, raised, again):
    def step(_spec: Probe, _context: StepContext) -> dict[str, Any]:
        raise raised

    with pytest.raises(SlimError, match="None.") as found:
        require_done(attempt(step))

    assert type(found.value) is again


@pytest.mark.parametrize(
    ("error", "values"),
    [
        (ValueError("one\ntwo"), ["ValueError: one ("]),
        (ZeroDivisionError(), ["ZeroDivisionError: no message"]),
        (MemoryError(), ["batch_size 64", "batch_size 32"]),
        (OSError(28, "No space left"), ["disk is full"]),
        (OSError(28, "No space left", "/data/maps.npy"), ["disk is full", "/data/maps.npy"]),
    ],
)
def test_an_unexpected_error_fails_with_a_sentence_and_its_trace_in_the_log(store, attempt, error, values):
    def step(_spec: Probe, _context: StepContext) -> dict[str, Any]:
        raise error

    run = attempt(step)

    assert run.status == "failed" and not missing(run.message, *values)
    assert "Traceback" in store.artifacts.log(run.id).read_text()


@pytest.mark.parametrize("n", [132_000, 300_000, 1_000_000])  # where in the file the disk is full
def test_a_checkpoint_that_does_not_fit_is_a_full_disk_whatever_its_library_says(attempt, tmp_path, n):
    import torch

    with mounted(tmp_path / "small-disk", 1) as disk:

        def step(_spec: Probe, _context: StepContext) -> dict[str, Any]:
            with (disk / "state.pt").open("wb") as file:
                torch.save({"weights": torch.zeros(n), "moments": torch.zeros(n)}, file)
            return {}

        assert "disk is full" in attempt(step).message


def _to_a_full_disk(store: Store, run: Run) -> None:
    (store.artifacts.attempt(run.id, 1) / "log.txt").symlink_to("/dev/full")


def _to_no_folder(store: Store, run: Run) -> None:
    (store.artifacts.attempt(run.id, 1) / "log.txt").symlink_to(store.settings.home / "none" / "log.txt")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("lead", [_to_a_full_disk, _to_no_folder])
def test_a_log_that_cannot_be_written_changes_no_end_and_is_told_once(store, attempt, lead, caplog, capsys):
    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        context.log.info("thinking")
        raise OSError(28, "No space left")

    run = store.runs.submit(Probe(dataset=store.datasets.all()[0].id), force=True)[0]
    lead(store, run)
    assert "disk is full" in attempt(step, run).message
    told = [one.getMessage() for one in caplog.records if "lacks lines" in one.getMessage()]
    assert len(told) == 1 and told[0].startswith("The log ")
    assert "Logging error" not in capsys.readouterr().err


def test_an_attempt_without_room_for_its_folder_fails_in_a_sentence(store, attempt):
    run = store.runs.submit(Probe(dataset=store.datasets.all()[0].id), force=True)[0]
    (store.artifacts.checkpoints(run.id).parent / "attempt-1").write_text("in the way")
    ended = attempt(lambda _spec, _context: {}, run)
    assert ended.status == "failed" and "attempt-1 cannot be made" in ended.message


def _never(*_arguments: object) -> None:
    raise StoreUnavailableError("No room is left.")


def test_an_end_that_cannot_be_recorded_is_said_at_once_and_given_up_after_the_patience(
    store, attempt, monkeypatch, caplog
):
    for end in ("finish", "fail"):
        monkeypatch.setattr(store.attempts, end, _never)
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError, match="No room is left"):
        attempt(lambda _spec, _context: {}, patience_s=0.2)
    assert time.monotonic() - began < 10
    told = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert told and not missing(told[0], "run r-", "No room is left.")


@pytest.mark.parametrize("error", [StoreUnavailableError("It is locked."), DatabaseAwayError("It does not answer.")])
def test_what_is_computed_waits_for_a_database_that_does_not_answer_as_the_step_ends(
    store, attempt, monkeypatch, error
):
    renew, errors = store.attempts.renew, [error]

    def renewed(*given: str) -> bool:
        if threading.current_thread() is threading.main_thread() and errors:  # not that of the heartbeat
            raise errors.pop()
        return renew(*given)

    monkeypatch.setattr(store.attempts, "renew", renewed)
    run = attempt(lambda _spec, _context: {"answer": 42})
    assert not errors
    assert (run.status, run.attempt, run.losses, run.metrics) == ("done", 1, 0, {"answer": 42})


def test_a_step_that_loses_the_database_is_queued_again_and_fails_only_when_it_does_so_too_often(store, attempt):
    def step(_spec: Probe, _context: StepContext) -> dict[str, Any]:
        raise DatabaseAwayError("The database does not answer: start it.")

    run = attempt(step)

    assert (run.status, run.losses) == ("queued", 1) and not missing(run.message, "tester", "lost the database")
    assert attempt(lambda _spec, _context: {}, run).status == "done"
    lost = attempt(step)
    for _ in range(MAX_LOSSES):
        lost = attempt(step, lost)
    assert lost.status == "failed" and "last time it lost the database" in lost.message


def test_an_outage_of_the_database_never_counts_towards_the_losses_that_fail_a_run(store, attempt, monkeypatch):
    def step(_spec: Probe, _context: StepContext) -> dict[str, Any]:
        raise DatabaseAwayError("The database does not answer: start it.")

    monkeypatch.setattr(store.database, "answers", lambda: False)
    run = attempt(step)
    for _ in range(MAX_LOSSES):
        run = attempt(step, run)

    assert (run.status, run.losses, run.attempt) == ("queued", 0, MAX_LOSSES + 1)


class Silence:
    """A database that renews no lease any more until it is back: it refuses, or it does not answer at all."""

    def __init__(self, store: Store, run_id: str, how: str) -> None:
        self._store, self._how, self._renew = store, how, store.attempts.renew
        self.back = threading.Event()
        first = store.runs.fetch(run_id).lease_until
        _until(lambda: store.runs.fetch(run_id).lease_until > first)  # it has been renewed under this lease
        store.attempts.renew = self._silent  # type: ignore[method-assign]
        _until(lambda: store.attempts.overdue() == [run_id])

    def _silent(self, *given: str) -> bool:
        if self._how == "is frozen":
            self.back.wait(30)
        elif not self.back.is_set():
            raise DatabaseAwayError("The database does not answer: start it.")
        return self._renew(*given)


@pytest.mark.parametrize("how", ["is away", "is frozen"])
def test_a_step_pauses_while_its_lease_may_be_over_and_continues_once_it_is_renewed(brief, attempt, how):
    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        silence = Silence(brief, context.run_id, how)
        threading.Timer(0.3, silence.back.set).start()
        context.check_stop()
        return {"was_back": silence.back.is_set()}

    run = attempt(step, store=brief)

    assert (run.status, run.attempt, run.losses, run.metrics) == ("done", 1, 0, {"was_back": True})


@pytest.mark.parametrize("how", ["is away", "is frozen"])
def test_a_step_that_another_attempt_has_replaced_meanwhile_computes_nothing_beside_it(brief, attempt, how):
    went_on = []

    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        silence = Silence(brief, context.run_id, how)
        assert [lost.id for lost in brief.attempts.lose_expired()] == [context.run_id]
        brief.attempts.claim(context.run_id, "another", "cpu")
        threading.Timer(0.3, silence.back.set).start()
        context.check_stop()
        went_on.append(how)
        return {}

    run = attempt(step, store=brief)

    assert (run.status, run.worker, went_on) == ("running", "another", [])


def test_an_outage_that_a_run_meets_at_each_heartbeat_is_logged_once_and_again_while_it_lasts(
    store, attempt, monkeypatch, caplog
):
    said, tries = "does not answer: start it.", []

    def renew(*_: str) -> None:
        tries.append(1)
        raise DatabaseAwayError(f"The database {said}")

    def step(_spec: Probe, _context: StepContext) -> dict[str, Any]:
        with monkeypatch.context() as patch:
            patch.setattr(store.attempts, "renew", renew)
            _until(lambda: len(tries) >= 5)
            once = caplog.text.count(said)
            patch.setattr(signals, "AGAIN_S", 0.0)  # ten minutes later
            _until(lambda: caplog.text.count(said) > once + 1)
        return {"once": once}

    assert attempt(step).metrics == {"once": 1}


def test_a_step_with_processes_that_go_on_is_ended_in_an_outage_and_queued_again_without_a_loss(
    brief, attempt, monkeypatch
):
    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        Silence(brief, context.run_id, "is away")
        context.check_stop()
        return {}

    monkeypatch.setattr(brief.database, "answers", lambda: False)
    shared, _ = brief.runs.submit(Probe(dataset=brief.datasets.all()[0].id, processes=2))
    run = attempt(step, shared, store=brief)

    assert (run.status, run.losses) == ("queued", 0)


def test_all_tries_to_record_an_end_share_one_patience():
    assert sum(_pauses(5.0)) == pytest.approx(5.0)
    assert sum(_pauses(PATIENCE_S)) == pytest.approx(600.0)
    pauses = _pauses(1.0)
    list(pauses)
    assert list(pauses) == []


def test_progress_is_kept_with_the_time_left_and_written_at_most_once_a_beat(store, attempt, monkeypatch):
    writes = []
    write = store.attempts.progress
    monkeypatch.setattr(type(store.attempts), "progress", lambda _self, *given: (writes.append(given), write(*given)))

    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        for done in range(1, 501):
            context.progress(done, 500, "counting", loss=1 / done)
            time.sleep(0.001)
        return {}

    def busy(_spec: Probe, context: StepContext) -> dict[str, Any]:
        monkeypatch.setattr("slim_core.steps.context.BEAT_S", 0.1)
        return step(_spec, context)

    started = time.monotonic()
    run = attempt(busy)

    assert run.progress["done"] == run.progress["total"] == 500 and run.progress["phase"] == "counting"
    assert run.progress["loss"] == 1 / 500 and run.progress["seconds_left"] == 0
    assert 1 <= len(writes) <= (time.monotonic() - started) / 0.1 + 2


def test_a_caller_in_this_process_hears_of_every_progress(attempt):
    heard = []

    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        for done in range(3):
            context.progress(done, 3, "counting")
        return {}

    attempt(step, on_progress=heard.append)

    assert [progress["done"] for progress in heard] == [0, 1, 2]


def test_a_step_asked_to_stop_ends_as_canceled_and_keeps_its_checkpoint_for_a_retry(store, attempt):
    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        saved = context.checkpoint_dir / "saved.txt"
        if saved.exists():
            return {"resumed": True}
        saved.write_text("1")
        store.attempts.request_stop(context.run_id, "ann")
        with pytest.raises(RunCanceledError):
            _until(context.check_stop)
        context.check_stop()
        raise AssertionError("check_stop goes on raising")

    run = attempt(step)
    assert run.status == "canceled" and run.message == "Stopped as asked."

    again = attempt(step, store.attempts.retry(run.id))
    assert again.status == "done" and again.metrics == {"resumed": True} and again.attempt == 2


def test_a_run_whose_worker_shuts_down_is_queued_again_without_counting_as_lost(attempt):
    shutting_down = threading.Event()

    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        shutting_down.set()
        context.check_stop()
        return {}

    run = attempt(step, shutdown=shutting_down)

    assert run.status == "queued" and run.losses == 0


def test_a_run_taken_by_another_attempt_is_left_alone(store, attempt):
    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        store.attempts.lose(context.run_id, context.heartbeat.token, "was cut off")
        store.attempts.claim(context.run_id, "another", "cpu")
        with pytest.raises(RunLostError):
            _until(context.check_stop)
        return {"mine": True}

    run = attempt(step)

    assert run.status == "running" and run.worker == "another" and run.metrics is None
    with pytest.raises(NotFoundError):
        store.artifacts.folder(run.id)


def test_an_attempt_that_wakes_after_another_has_finished_its_run_leaves_no_trace_of_an_error(store, attempt, caplog):
    """It was suspended for longer than its lease; the folder that it writes into is gone by then."""

    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        store.attempts.lose(context.run_id, context.heartbeat.token, "was cut off")
        token = store.attempts.claim(context.run_id, "another", "cpu")
        store.attempts.finish(context.run_id, token, {"mine": False})
        (context.out / "maps.npy").write_bytes(b"")
        return {"mine": True}

    run = attempt(step)

    assert run.status == "done" and run.metrics == {"mine": False}
    assert [entry.getMessage() for entry in caplog.records if entry.exc_info] == []
    assert any(f"Run {run.id} no longer belongs" in one for one in caplog.messages)


def test_the_lease_is_renewed_while_the_step_works_without_a_word(store, attempt):
    seen = {}

    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        seen["first"] = store.runs.fetch(context.run_id).lease_until
        _until(lambda: store.runs.fetch(context.run_id).lease_until > seen["first"])
        return {}

    assert attempt(step).status == "done"


def test_ctrl_c_queues_the_run_again_and_reaches_the_caller_so_that_the_same_command_resumes_it(store, attempt):
    def step(_spec: Probe, context: StepContext) -> dict[str, Any]:
        (context.checkpoint_dir / "kept").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(step)
    (run,) = store.runs.all()
    assert (run.status, run.losses) == ("queued", 0)
    assert store.runs.submit(Probe(dataset=run.dataset_id))[0].id == run.id
    done = attempt(lambda _spec, context: {"resumed": (context.checkpoint_dir / "kept").exists()}, run)
    assert done.metrics == {"resumed": True}


def test_a_run_that_is_not_queued_is_refused(store, attempt):
    run = attempt(lambda _spec, _context: {})
    with pytest.raises(ConflictError, match="is done"):
        execute(store, run.id, worker="tester", device="cpu")
    with pytest.raises(NotFoundError):
        execute(store, "r-nowhere", worker="tester", device="cpu")


def test_time_left_follows_the_pace_and_starts_anew_with_another_count(monkeypatch):
    now = iter([0.0, 1.0, 2.0, 2.0, 4.0])
    monkeypatch.setattr("slim_core.steps.context.time", SimpleNamespace(monotonic=lambda: next(now)))
    pace = _Pace()
    told = [pace.add_time_left({"done": done, "total": total})["seconds_left"]
            for done, total in ((10, 100), (10, 100), (30, 100), (0, 8), (4, 8))]  # fmt: skip

    assert told == [None, None, 7.0, None, 2.0]
