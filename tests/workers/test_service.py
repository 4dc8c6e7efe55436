"""The loop of a service, round by round."""

from __future__ import annotations

import errno
import logging
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from slim_core import signals
from slim_core.settings import Settings
from slim_core.signals import ThrottledWarning
from slim_core.store import Run, Store, StoreUnavailableError
from tests.killed import killed_at
from tests.workers.worker_bench import Bench, until
from workers import service
from workers.service import Service, SlotProcess
from workers.slots import SlotPlan
from workers.worker import RunningJob, how_it_ended


@pytest.mark.slow
def test_a_home_of_another_schema_is_said_once_and_then_rarely_and_starts_no_worker_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path / "home")
    store = Store.open(settings)
    with store.database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0017'"))
    store.close()
    slot = ("sh", "-c", f"echo >> {tmp_path / 'started'}; exit 2")
    service = Service(settings, [SlotPlan("light", ("cpu",), "cpu", "cpu")], None, slot_command=slot)
    for _ in range(5):
        service._round()
        time.sleep(0.4)  # a slot that ended is started again a second later
    assert caplog.text.count("slim answers export") == 1
    service.slots[0].end(time.monotonic() + 30)
    assert (tmp_path / "started").read_text() == "\n"
    monkeypatch.setattr(signals, "AGAIN_S", 0.0)  # ten minutes later
    service._round()
    assert caplog.text.count("slim answers export") == 2


def test_a_burst_whose_database_is_away_as_its_workers_finish_ends_once_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, settings = SlotPlan("light", ("cpu",), "cpu", "cpu"), Settings(home=tmp_path / "home")
    service = Service(settings, [plan], None, slot_command=("sh", "-c", "exit 0"), burst=True)
    queue = service._open().store.queue
    service._keep_slots()
    service.slots[0].end(time.monotonic() + 30)
    away = [StoreUnavailableError("The database is away: start it.")]
    monkeypatch.setattr(queue, "next_for", lambda *_: (_ for _ in ()).throw(away.pop()) if away else None)
    assert not service._burst_is_over()
    assert "The database is away: start it." in caplog.text
    assert service._burst_is_over()


def test_a_worker_for_which_no_process_is_left_is_started_later_and_the_others_live(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [SlotPlan(label, ("cpu",), "cpu", "cpu") for label in ("light", "cpu")]
    service = Service(Settings(home=tmp_path / "home"), plans, None, slot_command=("sh", "-c", "exec sleep 60"))
    spawn, left = SlotProcess._spawn, [BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")]

    def limited(slot: SlotProcess, command: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
        if left:
            raise left.pop()
        return spawn(slot, command, variables)

    monkeypatch.setattr(SlotProcess, "_spawn", limited)
    service._keep_slots()
    assert [slot.alive for slot in service.slots] == [False, True]
    assert "cannot be started (Resource temporarily unavailable)" in caplog.text
    monkeypatch.setattr(service.slots[0], "_pause_s", 0.0)  # a second later
    service._keep_slots()
    assert all(slot.alive for slot in service.slots)
    for slot in service.slots:
        slot.end(time.monotonic())


def test_the_end_of_a_worker_is_recorded_once_though_the_next_one_starts_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = SlotPlan("light", ("cpu",), "cpu", "cpu")
    service = Service(Settings(home=tmp_path / "home"), [plan], None, slot_command=("sh", "-c", "exit 2"))
    service._open()
    (slot,) = service.slots
    service._keep_slots()
    slot.end(time.monotonic() + 30)
    for _ in range(5):  # within the pause
        service._keep_slots()
    assert caplog.text.count(f"Worker {slot.name} ended with code 2") == 1


def test_the_end_of_a_worker_is_said_once_though_it_cannot_be_recorded_for_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = SlotPlan("light", ("cpu",), "cpu", "cpu")
    service = Service(Settings(home=tmp_path / "home"), [plan], None, slot_command=("sh", "-c", "exit 2"))
    (slot,) = service.slots
    supervisor = service._open()
    slot.start()
    slot.end(time.monotonic() + 30)
    left, away = supervisor.store.workers.leave, [StoreUnavailableError("full")] * 3
    monkeypatch.setattr(
        supervisor.store.workers, "leave", lambda name: (_ for _ in ()).throw(away.pop()) if away else left(name)
    )
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            service._keep_slots()
    assert slot.recorded == ""
    service._keep_slots()
    assert slot.recorded and caplog.text.count("ended with code 2") == 1


@pytest.fixture
def overtaken(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Service, Run, Run]]:
    """A service of two workers and the run of each: the first has ended since the service read who has it."""
    bench = Bench(tmp_path / "home", images)
    plans = [SlotPlan(label, ("cpu",), "cpu", "cpu") for label in ("light", "cpu")]
    service = Service(bench.settings, plans, None, slot_command=("sh", "-c", "exit 2"))
    service._open()
    service._keep_slots()
    first, second = (bench.store.runs.submit(bench.spec())[0] for _ in plans)
    for slot, run in zip(service.slots, (first, second), strict=True):
        bench.store.attempts.claim(run.id, slot.name, "cpu")
    read = {slot.name: bench.store.workers.claims(slot.name) for slot in service.slots}
    monkeypatch.setattr(service._open().store.workers, "claims", read.get)
    (token,) = read[service.slots[0].name]
    bench.store.attempts.finish(first.id, token, {})
    yield service, first, second
    bench.store.close()


def test_a_run_that_is_no_longer_a_workers_keeps_no_other_from_being_requeued_at_the_end(overtaken) -> None:
    service, first, second = overtaken
    service._end()
    runs = service._open().store.runs
    assert [runs.fetch(run.id).status for run in (first, second)] == ["done", "queued"]


def test_a_run_that_is_no_longer_a_dead_workers_keeps_no_worker_from_being_started(overtaken, monkeypatch) -> None:
    service, first, second = overtaken
    dead = [slot.name for slot in service.slots]
    monkeypatch.setattr(service._open().queue, "submit", lambda *_runs: None)  # no Redis runs here
    for slot in service.slots:
        slot.end(time.monotonic() + 30)
        slot._pause_s = 0.0
    service._keep_slots()
    runs = service._open().store.runs
    assert [runs.fetch(run.id).status for run in (first, second)] == ["done", "queued"]
    assert not {slot.name for slot in service.slots} & set(dead), "others run in their place"
    for slot in service.slots:
        slot.end(time.monotonic() + 30)


def test_all_runs_of_a_round_are_said_to_be_lost_though_redis_is_away(
    tmp_path: Path, images: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path / "home", images, lease_s=0.5)  # its Redis is not started
    lost = [bench.store.runs.submit(bench.spec())[0] for _ in range(2)]
    for run in lost:
        bench.store.attempts.claim(run.id, "never-started", "cpu")
    time.sleep(0.6)
    service.Supervisor(bench.queue).tick()
    assert [f"Run {run.id} was lost" in caplog.text for run in lost] == [True, True]
    assert "2 runs are saved" in caplog.text
    bench.store.close()


@pytest.mark.slow
@pytest.mark.parametrize("is_open", [True, False])  # whether the service had opened it before
def test_once_a_database_is_back_whoever_works_has_a_lease_to_renew_before_a_run_is_lost(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    bench = Bench(tmp_path / "home", images, lease_s=2.0)
    run = bench.store.runs.submit(bench.spec())[0]
    service = Service(bench.settings, [], None, slot_command=())
    if is_open:
        service._round()
    bench.store.attempts.claim(run.id, "elsewhere", "cpu")
    with monkeypatch.context() as away:
        error = StoreUnavailableError("full")
        failing = (service._open().store.attempts, "overdue") if is_open else (Store, "open")
        away.setattr(*failing, lambda *_, **__: (_ for _ in ()).throw(error))
        until(lambda: bench.store.attempts.overdue() == [run.id], "its lease to be over")
        service._round()
    service._round()
    assert bench.fetch(run).status == "running"  # its worker may live
    until(lambda: service._round() or bench.fetch(run).status == "queued", "it to be lost, since its worker is not")
    assert bench.fetch(run).losses == 1
    bench.store.close()


def test_time_in_which_nobody_could_see_a_job_is_no_time_without_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("workers.worker.time", SimpleNamespace(monotonic=lambda: now[0]))
    job, reported = RunningJob(), datetime.now(UTC)

    def seen_after(seconds: float) -> float:
        now[0] += seconds
        return job.no_progress_s(reported)

    assert [seen_after(1.0) for _ in range(4)] == [0.0, 1.0, 2.0, 3.0]
    assert seen_after(1200.0) == 0.0  # the database was away: whoever waits for it has nothing to report
    assert [seen_after(2.0) for _ in range(2)] == [2.0, 4.0]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (-9, "was killed by SIGKILL (signal 9)"),
        (-40, "was killed by signal 40"),
        (7, "code 7"),
        (None, "code unknown"),
    ],
)
def test_how_a_process_ended_is_said_whatever_has_ended_it(code: int | None, said: str) -> None:
    assert said in how_it_ended(code)


def test_a_trouble_that_has_ended_and_comes_again_is_said_again(caplog: pytest.LogCaptureFixture) -> None:
    trouble = ThrottledWarning(logging.getLogger("some"))
    for sentence in ("Redis is away.", "Redis is away.", "Redis refuses.", "Redis refuses."):
        trouble.warn(sentence)
    trouble.end()
    trouble.warn("Redis refuses.")
    assert [record.getMessage() for record in caplog.records] == ["Redis is away.", "Redis refuses.", "Redis refuses."]


def test_files_of_a_deletion_that_was_killed_go_when_workers_start(tmp_path: Path, images: Path) -> None:
    bench = Bench(tmp_path / "home", images)
    run, _ = bench.store.runs.submit(bench.spec())
    token = bench.store.attempts.claim(run.id, "worker-1", "cpu")
    (bench.store.artifacts.attempt(run.id, 1) / "weights.bin").write_bytes(b"w")
    folder = bench.store.artifacts.publish(run.id, 1)
    bench.store.attempts.finish(run.id, token, {})
    killed_at("os.rename", lambda source, *_: Path(source).name == run.id, lambda: bench.store.runs.delete(run.id))
    assert bench.store.runs.all() == [] and folder.exists()
    Service(bench.settings, [], None, slot_command=())._round()
    assert not folder.exists()
    bench.store.close()
