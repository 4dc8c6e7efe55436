"""Images of the same content in two splits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from slim_core.data.files import check as duplicates
from slim_core.data.files.check import BEGINNING, find_duplicates


def written(folder: Path, contents: list[bytes]) -> tuple[list[str], list[int]]:
    """(paths, sizes)"""
    paths = [folder / str(i) for i in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return [str(path) for path in paths], [len(content) for content in contents]


def read(monkeypatch, how: str) -> list[str]:
    """The names of the files that are read in this way, as they come."""
    names: list[str] = []
    digest = getattr(duplicates, how)
    monkeypatch.setattr(duplicates, how, lambda path: names.append(Path(path).name) or digest(path))
    return names


def test_only_files_whose_size_occurs_in_two_splits_are_read(tmp_path, monkeypatch):
    paths, sizes = written(tmp_path, [b"aa", b"aa", b"bb", b"ccc", b"dddd"])
    begun, whole = read(monkeypatch, "_beginning"), read(monkeypatch, "_whole")
    splits = np.array(["train", "test", "test", "train", "test"])
    assert find_duplicates(paths, sizes, splits) == [[0, 1]]
    assert (sorted(begun), whole) == (["0", "1", "2"], [])


def test_large_files_are_read_to_their_end_only_where_they_begin_alike(tmp_path, monkeypatch):
    start = b"x" * BEGINNING
    paths, sizes = written(tmp_path, [start + b"aa", start + b"aa", start + b"bb", b"y" + start + b"a"])
    whole = read(monkeypatch, "_whole")
    assert find_duplicates(paths, sizes, np.array(["train", "test", "test", "train"])) == [[0, 1]]
    assert sorted(whole) == ["0", "1", "2"], "of one size are all four"


def test_a_task_compares_many_files_and_all_are_told_of(tmp_path, monkeypatch):
    """202,599 tasks, one for each file of CelebA, took more memory than the table of the import."""
    monkeypatch.setattr(duplicates, "CHUNK", 20)
    paths, sizes = written(tmp_path, [b"%03d" % (i // 2) for i in range(90)])
    tasks: list[object] = []

    class Pool(ThreadPoolExecutor):
        def submit(self, *args, **options):
            tasks.append(args)
            return super().submit(*args, **options)

    monkeypatch.setattr(duplicates, "ThreadPoolExecutor", Pool)
    told: list[tuple[int, int, str]] = []
    found = find_duplicates(paths, sizes, np.array(["train", "val"] * 45), lambda *state: told.append(state))
    assert found == [[i, i + 1] for i in range(0, 90, 2)]
    assert len(tasks) == 5
    assert [(done, n) for done, n, _ in told] == [(20, 90), (40, 90), (60, 90), (80, 90), (90, 90)]
