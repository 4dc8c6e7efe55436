"""Whatever is killed: nothing saved is lost, the run resumes from its checkpoint, and no process is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import psutil
import pytest
from redis.exceptions import RedisError
from rq.timeouts import HorseMonitorTimeoutException

from benchmarks.processes import command_of
from slim_core.errors import QueueUnavailableError
from slim_core.runs import execute
from slim_core.runs.execute import SLEPT_S
from tests.refusals import missing
from tests.workers.drills import TICK_S, HeavyDrill
from tests.workers.worker_bench import DRILL_WORKERS, Bench, bench_at, until
from workers.local import EmbeddedServices, address_file, environment, redis_url
from workers.queue import Queue
from workers.service import Supervisor
from workers.worker import SlotWorker

pytestmark = [pytest.mark.redis, pytest.mark.kills_processes]

NEVER = "never"  # the gate of a drill that stays at its second count until it is ended


LEASE_S = 4.0  # of the brief bench: an attempt that nobody watches is lost so long after


@pytest.fixture(scope="module")
def brief_bench(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Bench]:
    """Services whose leases are short, and shorter than the usual time between two renewals."""
    with bench_at(tmp_path_factory.mktemp("brief") / "home", images, lease_s=LEASE_S) as made:
        yield made


def _never_twice_at_once(bench: Bench, run) -> bool:
    """Each attempt counted on from where the one before had saved: at most one count, its last, is done again."""
    repeated = [count for count, n in Counter(bench.counts(run)).items() if n > 1]
    attempts = {attempt for _, attempt, _ in bench.trace(run)}
    return len(repeated) <= len(attempts) - 1


def test_a_killed_worker_takes_its_job_along_and_the_run_goes_on(bench: Bench):
    run = bench.submit(gate=NEVER)
    bench.await_count(run, 1)
    job = psutil.Process(bench.trace(run)[0][0])
    bench.slot("light").kill()
    until(lambda: not job.is_running(), "the job to die with its worker")
    done = bench.await_status(run, "done")

    assert done.attempt == 2 and done.losses == 1 and done.metrics["began_at"] == 1
    assert _never_twice_at_once(bench, run)
    lost = [event for event in bench.store.events.recent(50, subject=run.id) if event.what == "run.lost"]
    assert lost[0].details["why"] == "was killed by SIGKILL (signal 9)"


@pytest.mark.parametrize(("end", "expected"), [("kill -9 $$", signal.SIGKILL), ("exit 7", 7)])
def test_how_a_job_ended_is_known_though_an_alarm_comes_just_when_it_has_been_reaped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, end: str, expected: int
):
    worker = SlotWorker(("cpu",), connection=bench.redis(), name="never-started", store=bench.store, device="cpu")
    worker._horse_pid = os.spawnlp(os.P_NOWAIT, "sh", "sh", "-c", end)
    wait4 = os.wait4

    def interrupted(pid: int, options: int) -> NoReturn:
        wait4(pid, options)
        raise HorseMonitorTimeoutException

    with monkeypatch.context() as patch:
        patch.setattr(os, "wait4", interrupted)
        with pytest.raises(HorseMonitorTimeoutException):
            worker.wait_for_horse()
    _, status, _ = worker.wait_for_horse()

    assert status is not None and abs(os.waitstatus_to_exitcode(status)) == expected


def test_runs_go_on_where_the_folder_of_the_socket_was_cleaned_up(bench: Bench):
    bench.await_status(bench.submit(), "done")
    shutil.rmtree(Path(redis_url(bench.settings).removeprefix("unix://")).parent)
    with suppress(QueueUnavailableError):  # where the service has not seen it yet; the run waits in the database
        bench.submit()
    bench.await_status(bench.store.runs.all()[0], "done")


def test_a_killed_service_takes_everything_along_and_is_started_again(brief_bench: Bench):
    run = brief_bench.submit(gate=NEVER)
    brief_bench.await_count(run, 1)
    family = brief_bench.family()
    family[0].kill()
    until(lambda: not [process for process in family if process.is_running()], "all its children to die")
    done = brief_bench.await_status(run, "done")

    assert done.attempt == 2 and done.metrics["began_at"] == 1
    assert _never_twice_at_once(brief_bench, run)


@pytest.mark.slow
def test_a_lease_shorter_than_the_usual_time_between_renewals_loses_no_run(brief_bench: Bench):
    gate = brief_bench.home / "a-lease-later"
    run = brief_bench.submit(gate=str(gate))
    brief_bench.await_count(run, 1)
    time.sleep(LEASE_S + 4 * TICK_S)
    gate.touch()
    done = brief_bench.await_status(run, "done")

    assert (done.attempt, done.losses) == (1, 0)


@pytest.mark.slow
def test_a_machine_that_sleeps_for_longer_than_a_lease_loses_no_run(brief_bench: Bench):
    gate = brief_bench.home / "awake"
    run = brief_bench.submit(gate=str(gate))
    brief_bench.await_count(run, 1)
    family = brief_bench.family()
    for process in family:
        process.suspend()
    time.sleep(max(SLEPT_S, LEASE_S) + 0.5)
    assert brief_bench.store.attempts.overdue() == [run.id]
    for process in family:
        process.resume()
    until(lambda: brief_bench.store.attempts.overdue() == [], "the lease to be renewed")
    time.sleep(4 * TICK_S)  # the service has looked by then
    gate.touch()
    done = brief_bench.await_status(run, "done")

    assert (done.attempt, done.losses) == (1, 0)


def test_a_run_whose_worker_did_not_wake_with_the_machine_is_lost_a_lease_later(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
):
    bench = Bench(tmp_path / "home", images, lease_s=0.5)
    supervisor, spec = Supervisor(bench.queue), bench.spec()
    run = bench.store.runs.submit(spec)[0]
    bench.store.attempts.claim(run.id, "never-started", "cpu")
    monkeypatch.setattr(execute, "SLEPT_S", 0.3)
    time.sleep(0.8)
    supervisor.tick()
    assert bench.store.attempts.overdue() == [run.id] and bench.fetch(run).status == "running"

    until(lambda: supervisor.tick() or bench.fetch(run).status == "queued", "it to be lost")
    bench.store.close()


def test_a_killed_redis_is_started_again_and_runs_on_and_off_it_are_done(bench: Bench):
    gate = bench.home / "redis-is-back"
    running = bench.submit(gate=str(gate))
    bench.await_count(running, 1)
    queued = bench.submit()
    killed = _redis_pid(bench)
    os.kill(killed, signal.SIGKILL)
    until(lambda: _redis_pid(bench) not in (None, killed), "Redis to be back")
    gate.touch()

    assert bench.await_status(running, "done").attempt == 1  # it never noticed
    assert bench.await_status(queued, "done").attempt == 1


def test_a_wiped_redis_is_refilled_from_the_database(bench: Bench):
    gate = bench.home / "redis-is-wiped"
    running = bench.submit(gate=str(gate))
    bench.await_count(running, 1)
    queued = [bench.submit() for _ in range(3)]
    bench.redis().flushall()
    gate.touch()

    assert bench.await_status(running, "done").attempt == 1
    for run in queued:
        assert bench.await_status(run, "done").attempt == 1


def test_a_run_saved_while_redis_is_away_starts_by_itself_later(tmp_path: Path, images: Path):
    bench = Bench(tmp_path / "home", images)
    with pytest.raises(QueueUnavailableError, match="queue runs for .*: start the dashboard"):
        bench.submit()
    run = bench.store.runs.all(status="queued")[0]
    assert "start the dashboard" in bench.queue.silence() and bench.queue.view().counts == {"queued": 1}

    with bench.services:
        assert bench.await_status(run, "done").attempt == 1
    with pytest.raises(QueueUnavailableError, match="No queue runs"):
        redis_url(bench.settings)
    bench.store.close()


def test_where_the_address_of_redis_cannot_be_read_that_is_said_and_a_run_is_saved(tmp_path: Path, images: Path):
    bench = Bench(tmp_path / "home", images)
    address_file(bench.settings.home).mkdir(parents=True)
    run, _ = bench.store.runs.submit(bench.spec())
    with pytest.raises(QueueUnavailableError, match=rf"address.json cannot be read .*Run {run.id} is saved"):
        bench.queue.submit(run)
    assert "address.json cannot be read" in bench.queue.silence()
    bench.store.close()


def test_ending_in_order_hands_a_running_run_back_with_its_checkpoint(bench: Bench):
    run = bench.submit(gate=NEVER)
    bench.await_count(run, 1)
    family = bench.family()
    bench.services.stop()
    handed = bench.fetch(run)
    assert handed.status == "queued" and handed.losses == 0
    assert "worker shut down" in handed.message
    assert not psutil.wait_procs(family, timeout=10)[1]  # one that has ended is there until its parent asks for it

    bench.services.start()
    done = bench.await_status(run, "done")
    assert done.attempt == 2 and done.metrics["began_at"] == 1 and done.losses == 0


def test_a_killed_dashboard_leaves_no_process_behind(tmp_path: Path, images: Path):
    bench = Bench(tmp_path / "home", images)
    script = "from workers.local import EmbeddedServices; from slim_core.settings import settings; import time\n"
    script += f"services = EmbeddedServices(settings(), {(*DRILL_WORKERS, '--embedded', '--cpu', '1')!r})\n"
    script += "services.start(); print('up', flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment(bench.settings), stdout=subprocess.PIPE
    ) as dashboard:
        assert dashboard.stdout.readline() == b"up\n"
        run = bench.submit(drill=HeavyDrill, counts=1000, pause_s=0.05)
        bench.await_count(run, 1)
        family = psutil.Process(dashboard.pid).children(recursive=True)
        assert len(family) >= 5  # the service, Redis, two workers, a job
        dashboard.kill()
    until(lambda: not [process for process in family if process.is_running()], "all of them to end")
    assert bench.fetch(run).status == "queued"  # requeued, not lost
    bench.store.close()


@pytest.mark.slow
def test_two_starts_on_one_home_share_one_redis_and_the_second_takes_over(tmp_path: Path, images: Path):
    bench = Bench(tmp_path / "home", images)
    bench.services.start()
    first_redis = _redis_pid(bench)
    with EmbeddedServices(bench.settings, (*DRILL_WORKERS, "--embedded", "--cpu", "1")) as second:
        commands = [command_of(process) for process in psutil.Process(second.pid).children(recursive=True)]
        assert not [command for command in commands if "-server unixsocket:" in command]

        bench.services.stop()
        until(lambda: _redis_pid(bench) not in (None, first_redis), "the second to run Redis")
        assert bench.await_status(bench.submit(), "done").attempt == 1
    bench.store.close()


def test_a_burst_works_until_nothing_waits(tmp_path: Path, images: Path):
    bench = Bench(tmp_path / "home", images)
    parent, _ = bench.store.runs.submit(bench.spec())
    child, _ = bench.store.runs.submit(bench.spec(drill=HeavyDrill, parent=parent.id))
    command = [*DRILL_WORKERS, "--cpu", "1", "--burst"]
    subprocess.run(command, env=environment(bench.settings), check=True, timeout=120)

    assert bench.fetch(child).status == "done"
    bench.store.close()


def test_a_server_elsewhere_that_is_gone_is_named_without_its_password(tmp_path: Path, images: Path):
    bench = Bench(tmp_path / "home", images)
    served = bench.settings.model_copy(update={"redis_url": "redis://:secret@127.0.0.1:1/0"})
    run, _ = bench.store.runs.submit(bench.spec())
    with pytest.raises(QueueUnavailableError) as refused:
        Queue(served, bench.store).submit(run)

    silence = str(Queue(served, bench.store).silence())
    assert not missing(str(refused.value), "127.0.0.1:1/0", "SLIM_REDIS_URL", run.id)
    assert not missing(silence, "127.0.0.1:1/0", "SLIM_REDIS_URL")
    assert "secret" not in f"{refused.value}{silence}"
    assert bench.fetch(run).status == "queued"
    bench.store.close()


def _redis_pid(bench: Bench) -> int | None:
    try:
        return int(bench.redis().info("server")["process_id"])
    except (QueueUnavailableError, RedisError):
        return None
