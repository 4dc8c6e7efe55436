"""A disk that is full to its last byte: what makes space again is done all the same."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.small_disk import fill
from slim_core.settings import Settings
from slim_core.store import Store, StoreUnavailableError
from slim_core.store.database import Database
from slim_core.store.spare import SPARE_BYTES, keep_spare, spared
from tests.slim_core.conftest import Looped
from tests.slim_core.store.store_makers import image_table, imported, train_spec
from tests.small_disk import mounted


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """24 MB, a home with a data set and a queued run of 4 MB on it, and nothing free; no process has it open."""
    with mounted(tmp_path / "small-disk", 24) as disk:
        with closing(Store.open(Settings(home=disk / "home"))) as store:
            dataset = store.datasets.register(imported(image_table(tmp_path / "images", name="birds")))
            run, _ = store.runs.submit(train_spec(dataset))
            (store.artifacts.attempt(run.id, 1) / "weights").write_bytes(bytes(4 * 2**20))
        fill(disk / "ballast")
        yield disk


def slim(disk: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "slim_core.cli", *words]
    return subprocess.run(command, env={**os.environ, "SLIM_HOME": str(disk / "home")}, capture_output=True, text=True)


@pytest.mark.slow
def test_commands_delete_a_run_and_remove_a_data_set_on_a_disk_without_a_byte(full_disk: Path):
    assert shutil.disk_usage(full_disk).free == 0
    refused = slim(full_disk, "data", "remove", "birds", "--yes")
    assert refused.returncode == 2 and "1 run queued or running" in refused.stderr
    run_id = next((full_disk / "home" / "work").iterdir()).name
    deleted = slim(full_disk, "delete", run_id, "--yes")
    assert deleted.returncode == 0, deleted.stderr
    assert not (full_disk / "home" / "work" / run_id).exists()

    fill(full_disk / "more")
    removed = slim(full_disk, "data", "remove", "birds", "--yes")
    assert removed.returncode == 0, removed.stderr
    with closing(Store.open(Settings(home=full_disk / "home"))) as store:
        assert store.datasets.all() == [] and store.runs.all() == []


READING = {  # what is printed
    ("runs",): "train",
    ("datasets",): "birds",
    ("storage",): "The largest of 1 runs",
}


@pytest.mark.slow
def test_commands_that_read_do_so_on_a_disk_without_a_byte_and_take_none(full_disk: Path, tmp_path: Path):
    run_id = next((full_disk / "home" / "work").iterdir()).name
    for words, shown in {**READING, ("log", run_id): ""}.items():
        read = slim(full_disk, *words)
        assert read.returncode == 0 and shown in read.stdout, (words, read)
    saved = slim(full_disk, "backup", str(tmp_path / "backup.zip"))
    assert saved.returncode == 0 and "1 run, 0 campaigns, 0 answers" in saved.stdout, saved.stderr
    assert (full_disk / "home" / "slim.db.spare").stat().st_size == SPARE_BYTES, "is still there for a removal"


@pytest.mark.slow
def test_what_a_loop_has_found_is_compared_and_exported_from_a_disk_without_a_byte(looped: Looped, tmp_path: Path):
    with mounted(tmp_path / "small-disk", 64) as disk:
        shutil.copytree(looped.at.store.settings.home, disk / "home")
        Store.open(Settings(home=disk / "home")).close()  # no process has it open, as when the last one ends
        fill(disk / "ballast")
        for words, shown in {
            ("compare", "--csv", str(tmp_path / "compare.csv")): "Accuracy in % per group",
            ("export", "latest", "subset-csv", str(tmp_path / "subset")): "opens in: a spreadsheet",
            ("answers", "export", str(tmp_path / "answers.csv")): "written to",
        }.items():
            read = slim(disk, *words)
            assert read.returncode == 0 and shown in read.stdout, (words, read)


@pytest.mark.slow
def test_a_folder_is_checked_on_a_disk_without_a_byte_and_not_registered(full_disk: Path, plain_folder: Path):
    checked = slim(full_disk, "import", str(plain_folder))
    assert checked.returncode == 0 and "nothing was registered" in checked.stdout, checked.stderr
    refused = slim(full_disk, "import", str(plain_folder), "--register")
    assert refused.returncode == 2 and "free some space" in refused.stderr, refused.stderr


@pytest.mark.slow
def test_what_a_killed_process_has_left_to_be_written_is_read_too(full_disk: Path):
    with closing(Store.open(Settings(home=full_disk / "home"), alone_if_full=True)) as store:
        (run,) = store.runs.all()
    os.truncate(full_disk / "ballast", os.path.getsize(full_disk / "ballast") - 2**18)
    renamed = (
        "import os, sys; from slim_core.store import Store; "
        "Store.open().notes.rename(sys.argv[1], 'another name'); os._exit(0)"
    )
    home = {**os.environ, "SLIM_HOME": str(full_disk / "home")}
    subprocess.run([sys.executable, "-c", renamed, run.id], env=home, check=True)
    (full_disk / "home" / "slim.db-shm").unlink()  # as after a restart of the machine
    assert (full_disk / "home" / "slim.db-wal").stat().st_size > 0
    fill(full_disk / "more")
    assert "another name" in slim(full_disk, "runs").stdout


@pytest.mark.slow
def test_a_command_that_writes_says_that_the_disk_is_full_and_changes_nothing(full_disk: Path):
    refused = slim(full_disk, "data", "rename", "birds", "finches")
    assert refused.returncode == 2 and "is full: free some space, nothing was changed" in refused.stderr
    assert "birds" in slim(full_disk, "datasets").stdout


def test_others_do_not_open_it_alone(full_disk: Path):
    with pytest.raises(StoreUnavailableError, match="check the space and health of its disk"):
        Store.open(Settings(home=full_disk / "home"))


def test_so_does_a_process_that_has_the_database_open(full_disk: Path):
    os.truncate(full_disk / "ballast", os.path.getsize(full_disk / "ballast") - 2**17)
    with closing(Store.open(Settings(home=full_disk / "home"))) as store:
        fill(full_disk / "more")
        (run,) = store.runs.all()
        with pytest.raises(StoreUnavailableError, match="is full: free some space"):
            store.notes.rename(run.id, "x" * 200)
        store.runs.delete(run.id)
        fill(full_disk / "most")
        store.removals.remove(run.dataset_id)
        assert store.datasets.all() == []


def test_the_space_is_kept_for_a_new_database_and_again_after_each_removal(tmp_path: Path):
    spare = tmp_path / "slim.db.spare"
    with closing(Store.open(Settings(home=tmp_path))) as store:
        assert spare.stat().st_size == SPARE_BYTES
        with spared(store.database):
            assert not spare.exists()
        assert spare.stat().st_size == SPARE_BYTES
        spare.unlink()  # as in the home of an older version
        store.removals.finish()
        assert spare.stat().st_size == SPARE_BYTES


def test_where_there_is_no_space_to_keep_none_is_kept_and_nothing_is_left(tmp_path: Path):
    with mounted(tmp_path / "disk", 1) as disk:
        database = Database(f"sqlite:///{disk / 'slim.db'}")
        (disk / "some").write_bytes(bytes(2**19))
        keep_spare(database)
        assert [path.name for path in disk.iterdir()] == ["some"]
        database.close()


def test_a_process_that_is_killed_while_it_takes_the_space_leaves_nothing_that_is_not_used(tmp_path: Path):
    with closing(Store.open(Settings(home=tmp_path / "home"))):
        pass
    spare = tmp_path / "home" / "slim.db.spare"
    before = set(os.listdir(spare.parent))
    spare.unlink()
    killed = (
        "import resource, signal, sys; from slim_core.store.database import Database; "
        "from slim_core.store.spare import keep_spare; signal.signal(signal.SIGXFSZ, signal.SIG_DFL); "
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({SPARE_BYTES // 2}, {SPARE_BYTES // 2})); "
        "keep_spare(Database(sys.argv[1]))"
    )
    address = f"sqlite:///{tmp_path / 'home' / 'slim.db'}"
    ended = subprocess.run([sys.executable, "-c", killed, address], check=False)
    assert ended.returncode == -signal.SIGXFSZ
    assert set(os.listdir(spare.parent)) <= before
    with closing(Database(address)) as database:
        keep_spare(database)
    assert set(os.listdir(spare.parent)) == before and spare.stat().st_size == SPARE_BYTES
