"""The process of the next job: it holds torch before there is a job, and nothing is lost with it."""

from __future__ import annotations

import gc
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
import rq

from slim_core.steps.registry import STEPS, Step
from slim_core.steps.specs import EvaluateSpec
from slim_core.store import Run
from tests.workers.drills import HeavyDrill
from tests.workers.worker_bench import Bench, until
from workers.imports import import_torch_half
from workers.notify_workers import waiting_jobs
from workers.spare import Handed, Spare

pytestmark = [pytest.mark.redis, pytest.mark.kills_processes]


def spare_of(bench: Bench, label: str = "cpu0") -> psutil.Process:
    """The process that waits for the next job of a worker, once it holds torch and nothing else is to be done."""
    seen: dict[psutil.Process, float] = {}
    calm: list[psutil.Process] = []

    def ready() -> bool:
        try:
            found = [child for child in bench.slot(label).children() if holds_torch(child)]
        except psutil.NoSuchProcess:  # the worker before, which another test has killed
            return False
        if waiting_jobs("gpu", bench.redis()) or not idle(bench):  # a wake-up for which nothing waits is a job, too
            seen.clear()
            return False
        calm[:] = [each for each in found if time.monotonic() - seen.setdefault(each, time.monotonic()) > 1]
        return bool(calm)

    until(ready, "a process that holds torch, and no job that is just ending")
    return calm[0]


def idle(bench: Bench) -> bool:
    return all(worker.get_state() == "idle" for worker in rq.Worker.all(bench.redis()))


def holds_torch(process: psutil.Process) -> bool:
    try:
        return any("libtorch" in entry.path for entry in process.memory_maps())
    except psutil.Error:  # it ended just now
        return False


def heavy(bench: Bench, **fields: object) -> Run:
    return bench.submit(drill=HeavyDrill, **fields)


def test_a_job_is_done_by_the_process_that_held_torch_before_it_was_submitted(bench: Bench):
    spare = spare_of(bench)
    run = bench.await_status(heavy(bench), "done")

    assert {pid for pid, _, _ in bench.trace(run)} == {spare.pid} and run.attempt == 1
    until(lambda: not spare.is_running(), "it to end with its job")
    assert spare_of(bench).pid != spare.pid  # the next one is made


def test_it_waits_with_one_thread_and_holds_no_run(bench: Bench):
    assert spare_of(bench).num_threads() == 1
    assert not bench.store.runs.all(status="running")


def test_a_light_worker_keeps_none(bench: Bench):
    bench.await_status(bench.submit(), "done")
    light = bench.slot("light")
    until(lambda: not light.children(), "its job to end")


def test_one_that_was_killed_is_replaced_and_no_run_notices(bench: Bench):
    spare_of(bench).kill()
    run = bench.await_status(heavy(bench), "done")

    assert run.attempt == 1 and run.losses == 0


def test_jobs_that_follow_at_once_are_all_done(bench: Bench):
    runs = [heavy(bench, counts=1) for _ in range(4)]
    done = [bench.await_status(run, "done") for run in runs]

    assert {run.attempt for run in done} == {1}
    assert len({pid for run in runs for pid, _, _ in bench.trace(run)}) == 4


def test_one_that_is_asked_to_end_just_before_its_job_hands_the_run_back(bench: Bench):
    spare = spare_of(bench)
    spare.terminate()
    run = bench.await_status(heavy(bench, counts=3, pause_s=0.1), "done")

    assert run.losses == 0 and bench.trace(run)[-1][0] != spare.pid


def test_a_stop_and_a_crash_end_its_job_as_any_other(bench: Bench):
    spare_of(bench)
    stopped = heavy(bench, counts=1000, pause_s=0.05)
    bench.await_count(stopped, 2)
    bench.queue.stop(stopped.id)
    assert bench.await_status(stopped, "canceled").message == "Stopped as asked."

    spare_of(bench)
    killed = heavy(bench, counts=30, pause_s=0.05)
    bench.await_count(killed, 3)
    os.kill(bench.trace(killed)[0][0], signal.SIGKILL)
    done = bench.await_status(killed, "done")
    assert done.attempt == 2 and done.losses == 1


def test_it_ends_with_its_worker(bench: Bench):
    spare = spare_of(bench)
    bench.slot("cpu0").kill()
    until(lambda: not spare.is_running(), "it to end with its worker")


def told(path: Path) -> str:
    """What a process that was handed a job has written, once it has ended."""
    until(lambda: path.exists() and path.read_text().endswith("\n"), "the process to write")
    return path.read_text()


def test_it_performs_what_it_is_handed_even_before_it_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("workers.spare.import_torch_half", lambda waits: (tmp_path / "waits").write_text(f"{waits()}"))
    spare = Spare(lambda: None, lambda job: (tmp_path / "job").write_text(f"{job}\n"), calm_s=60)
    handed = Handed("r-x-1", "gpu", "e1")
    assert spare.take(handed)

    assert told(tmp_path / "job") == f"{handed}\n" and (tmp_path / "waits").read_text() == "True"
    assert os.waitpid(spare.pid, 0)[1] == 0


def test_it_is_ended_without_a_job(tmp_path: Path):
    spare = Spare(lambda: None, lambda _: (tmp_path / "job").touch(), calm_s=60)
    spare.end()

    assert not psutil.pid_exists(spare.pid) and not (tmp_path / "job").exists()


def test_one_that_has_died_takes_nothing():
    spare = Spare(lambda: None, lambda _: None, calm_s=60)
    os.kill(spare.pid, signal.SIGKILL)
    os.waitid(os.P_PID, spare.pid, os.WEXITED | os.WNOWAIT)

    assert not spare.take(Handed("r-x-1", "gpu", "e1"))
    with pytest.raises(ChildProcessError):  # nothing is left of it
        os.waitpid(spare.pid, 0)


def test_a_step_that_cannot_be_imported_is_left_for_its_job_to_tell(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    broken = Step("evaluate", EvaluateSpec, "slim_core.steps.nowhere:run", "Evaluate")
    monkeypatch.setattr("workers.imports.STEPS", {"evaluate": broken})
    import_torch_half(lambda: True)
    gc.unfreeze()  # what it does for the process of a job is not for this one

    assert "slim_core.steps.nowhere" in caplog.text and STEPS["evaluate"] is not broken
