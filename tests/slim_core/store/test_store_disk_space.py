"""Whether there is room for another run, by figures that a file system may get wrong, and what is said of it."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from slim_core.result_files import MB, free_bytes
from slim_core.store import Store
from slim_core.store.workers import LEAST_FREE_MB, Heartbeat, block_messages, disk_shortage, workers_with_blocks
from tests.refusals import missing
from tests.small_disk import mounted

GB = 1024 * MB

FULL = "the disk has no room."


def reports(monkeypatch: pytest.MonkeyPatch, *, free: int, size: int) -> None:
    """Let every disk report these bytes."""
    figures = SimpleNamespace(f_frsize=4096, f_blocks=size // 4096, f_bavail=free // 4096)
    monkeypatch.setattr(os, "statvfs", lambda _path: figures)


def beat(store: Store, name: str) -> None:
    store.workers.beat(Heartbeat(name, host="here", pid=1, device="cpu", queues=("cpu",)))


def test_a_disk_of_a_few_megabytes_has_no_room_and_the_sentence_names_figure_and_remedy(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports(monkeypatch, free=LEAST_FREE_MB * MB, size=GB)
    assert disk_shortage(store) is None
    reports(monkeypatch, free=12 * MB, size=GB)
    assert not missing(str(disk_shortage(store)), store.settings.home.resolve(), "12 MB", f"{LEAST_FREE_MB} MB")


@pytest.mark.parametrize(
    ("free", "size"), [(0, 0), (0, GB), (2 * GB, GB)], ids=["no size", "nothing free", "more free than there is"]
)
def test_figures_of_a_disk_that_can_be_written_nevertheless_hold_nobody_back(
    store: Store, monkeypatch: pytest.MonkeyPatch, free: int, size: int
) -> None:
    reports(monkeypatch, free=free, size=size)
    assert free_bytes(store.settings.home) is None and disk_shortage(store) is None


def test_a_disk_that_reports_no_free_byte_and_takes_none_is_full(tmp_path: Path) -> None:
    with mounted(tmp_path / "small-disk", 1) as disk:
        with (disk / "ballast").open("wb", buffering=0) as ballast, pytest.raises(OSError, match="No space left"):
            while True:
                ballast.write(bytes(4096))
        assert free_bytes(disk) == 0 and [path.name for path in disk.iterdir()] == ["ballast"]


def test_a_folder_that_is_gone_is_left_to_whoever_writes_there(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "none") is None


def test_a_worker_that_is_blocked_stays_so_through_its_heartbeats_until_it_says_otherwise(store: Store) -> None:
    for name in ("one", "two"):
        beat(store, name)
    store.workers.block("one", FULL)
    beat(store, "one")
    (said,) = block_messages(workers_with_blocks(store))
    assert said.endswith(f" one: {FULL}")
    store.workers.block("two", FULL)
    (said,) = block_messages(workers_with_blocks(store))
    assert said.endswith(f": {FULL}") and "one" not in said
    for name in ("one", "two"):
        store.workers.block(name, None)
    assert block_messages(workers_with_blocks(store)) == []


def test_where_all_share_a_disk_its_fullness_is_seen_though_no_worker_can_say_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat(store, "one")
    reports(monkeypatch, free=12 * MB, size=GB)
    (sentence,) = block_messages(workers_with_blocks(store))
    assert sentence.startswith(f"No run starts: the disk of {store.settings.home.resolve()} has 12 MB free")
