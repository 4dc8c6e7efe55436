"""A disk that is really full: of the database, the artifacts and Redis at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.small_disk import fill
from slim_core.data.importing import import_data
from slim_core.result_files import MB
from slim_core.settings import Settings
from slim_core.store import Store
from slim_core.store.workers import LEAST_FREE_MB
from tests.small_disk import mounted
from tests.workers.drills import TICK_S
from tests.workers.worker_bench import Bench, bench_at, until

pytestmark = pytest.mark.redis

A_WHILE_S = 5 * TICK_S  # longer than two rounds of the supervisor, which puts in what Redis lacks


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Bench]:
    """Services on a disk of 96 MB, for tests that leave it as empty as it was."""
    with mounted(tmp_path_factory.mktemp("disk") / "small-disk", 96) as folder:
        with bench_at(folder / "home", images) as made:
            yield made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 MB, which only a privileged user can make."""
    with mounted(tmp_path / "small-disk", 96) as folder:
        yield folder


@pytest.mark.slow
def test_a_full_disk_is_said_and_once_there_is_space_the_run_says_so_and_the_queue_goes_on(
    small_disk: Path, images: Path
):
    with bench_at(small_disk / "home", images) as bench:
        run = bench.submit(counts=100, pause_s=0.1)
        bench.await_count(run, 2)
        fill(small_disk / "ballast")
        until(lambda: "cannot be recorded: The disk of" in bench.services.log_path.read_text(), "the error")
        warnings = bench.queue.view().warnings
        assert len(warnings) == 1 and warnings[0].startswith(f"No run starts: {says_of(bench)[0]}0 MB")
        assert bench.fetch(run).status == "running"  # nothing can be written down yet
        assert bench.queue.silence() is None  # Redis needs no disk

        (small_disk / "ballast").unlink()
        ended = bench.await_status(run, "failed")
        assert "disk is full" in ended.message and ended.losses == 0
        saved = max(bench.counts(run))
        bench.queue.retry(run.id)
        bench.await_count(run, saved + 1)
        assert bench.counts(run).count(1) == 1  # it went on from its checkpoint
        bench.queue.stop(run.id)
        bench.await_status(run, "canceled")
        assert bench.await_status(bench.submit(), "done").attempt == 1


def says_of(bench: Bench) -> tuple[str, str]:
    """What is said of a disk without room, before and after the figure."""
    return f"the disk of {bench.home.resolve()} has ", f"{LEAST_FREE_MB} MB: free some"


def slim(bench: Bench, *words: str) -> str:
    """What a command says on stderr."""
    command = [sys.executable, "-m", "slim_core.cli", *words]
    variables = {**os.environ, **bench.settings.as_environment()}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stderr


def test_while_there_is_no_room_runs_wait_and_say_why_and_once_there_is_they_start_by_themselves(bench: Bench) -> None:
    ballast = bench.home.parent / "ballast"
    fill(ballast)
    os.truncate(ballast, os.path.getsize(ballast) - 2 * MB)  # the database can be written
    waiting = [bench.submit(counts=1) for _ in range(3)]
    until(lambda: any(worker.blocked for worker in bench.store.workers.alive()), "a worker to say that it is blocked")
    time.sleep(A_WHILE_S)
    view, log = bench.queue.view(), bench.services.log_path.read_text()
    disk, left = says_of(bench)
    assert [bench.fetch(run).status for run in waiting] == ["queued"] * 3
    for run in waiting:
        reason = str(view.waits_for(run.id))
        assert disk in reason and left in reason
    assert len(view.warnings) == 1 and view.warnings[0].startswith("No run starts") and left in view.warnings[0]
    assert left in slim(bench, "runs").replace("\n", "") and left in slim(bench, "queue", "status").replace("\n", "")
    assert log.count("No run starts") == 1 and left in log

    ballast.unlink()
    for run in waiting:
        done = bench.await_status(run, "done")
        assert (done.attempt, done.losses, done.message) == (1, 0, None)
    assert [worker.blocked for worker in bench.store.workers.alive() if "light" in worker.id] == [None]


@pytest.mark.slow
def test_a_person_who_trains_on_a_full_disk_is_told_at_once_and_not_kept_waiting(small_disk: Path, images: Path):
    def slim(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "slim_core.cli", *map(str, words)]
        variables = {**os.environ, "SLIM_HOME": str(small_disk / "home"), "SLIM_DATA_ROOTS": str(images)}
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)

    given = Settings(home=small_disk / "home", data_roots=(images,))
    with closing(Store.open(given)) as store:
        store.datasets.register(import_data(images, settings=given))
    fill(small_disk / "ballast")
    os.truncate(small_disk / "ballast", os.path.getsize(small_disk / "ballast") - 300_000)  # the training may begin
    began = time.monotonic()
    done = slim("train", "--data", images.name, "--model", "small-resnet", "--epochs", "1")
    assert done.returncode == 2 and time.monotonic() - began < 60
    assert "full: free some" in done.stderr.strip().rpartition("\n")[2] and "Traceback" not in done.stderr
    (small_disk / "ballast").unlink()
    with closing(Store.open(given)) as store:
        (run,) = store.runs.all(kind="train")
    is_kept = run.status == "failed"  # its end fits where the checkpoint that was given up has left room
    assert done.stderr.count("end of run r-") == (0 if is_kept else 1)
