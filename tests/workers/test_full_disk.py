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
from slim_core.settings import Settings
from slim_core.store import Store
from tests.small_disk import mounted
from tests.workers.worker_bench import bench_at, until

pytestmark = pytest.mark.redis


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MB, which only a privileged user can make."""
    with mounted(tmp_path / "small-disk", 32) as folder:
        yield folder


def test_a_full_disk_is_said_and_once_there_is_space_the_run_says_so_and_the_queue_goes_on(
    small_disk: Path, images: Path
):
    with bench_at(small_disk / "home", images) as bench:
        run = bench.submit(counts=100, pause_s=0.1)
        bench.await_count(run, 2)
        fill(small_disk / "ballast")
        until(
            lambda: "cannot be recorded: The disk of the database" in bench.services.log_path.read_text(), "the error"
        )
        warnings = bench.queue.view().warnings
        assert len(warnings) == 1 and warnings[0].startswith("0 MB are left on the disk of ")
        assert bench.fetch(run).status == "running"  # nothing can be written down yet
        until(bench.queue.silence, "Redis to meet the full disk")
        assert bench.queue.silence() == (
            "The embedded Redis takes no jobs while its disk is full: free some space there. The runs below are kept."
        )

        (small_disk / "ballast").unlink()
        ended = bench.await_status(run, "failed")
        assert ended.message.startswith("The disk is full: free some space and retry") and ended.losses == 0
        saved = max(bench.counts(run))
        bench.queue.retry(run.id)
        bench.await_count(run, saved + 1)
        assert bench.counts(run).count(1) == 1  # it went on from its checkpoint
        bench.queue.stop(run.id)
        bench.await_status(run, "canceled")
        assert bench.await_status(bench.submit(), "done").attempt == 1


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
    assert "is full: free some space" in done.stderr.strip().rpartition("\n")[2] and "Traceback" not in done.stderr
    (small_disk / "ballast").unlink()
    with closing(Store.open(given)) as store:
        (run,) = store.runs.all(kind="train")
    is_kept = run.status == "failed"  # its end fits where the checkpoint that was given up has left room
    assert done.stderr.count("WARNING The end of run r-") == (0 if is_kept else 1)
