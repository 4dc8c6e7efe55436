"""Many files are probed by all cores, and what was seen counts until a file changes."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from benchmarks.processes import command_of
from slim_core.data.checks import files
from slim_core.data.checks.files import FOLDER, Probe, ProbeCache, Prober
from slim_core.settings import Settings

N = 12


@pytest.fixture
def paths(tmp_path) -> list[str]:
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(N):
        Image.fromarray(np.full((8, 6, 3), i, np.uint8)).save(folder / f"{i}.png")
    (folder / "3.png").write_bytes(b"<html>")
    (folder / "5.png").unlink()
    return [str(folder / f"{i}.png") for i in range(N)]


@pytest.fixture
def prober(tmp_path, paths, monkeypatch) -> Prober:
    """A dozen files are many."""
    monkeypatch.setattr(files, "MANY", 10)
    monkeypatch.setattr(files, "CHUNK", 4)
    return Prober(Settings(home=tmp_path / "home", data_roots=(tmp_path,)), Path(paths[0]).parent)


def watched(monkeypatch) -> list[str]:
    """The files that are probed from here on, by this process."""
    seen: list[str] = []
    real = files.probe_file
    monkeypatch.setattr(files, "probe_file", lambda path, *rest: seen.append(path) or real(path, *rest))
    monkeypatch.setattr("joblib.Parallel", lambda **_: lambda chunks: (run(*args) for run, args, _ in chunks))
    return seen


def test_processes_see_what_threads_see(prober, paths, monkeypatch):
    full = np.ones(N, bool)
    by_processes = prober.probe(paths, full, "Checking")
    monkeypatch.setattr(files, "MANY", 1_000)
    assert prober.probe(paths, full, "Checking") == by_processes
    assert [one.fault for one in by_processes if one.fault] == ["broken-files", "missing-files"]
    assert (by_processes[0].width, by_processes[0].height) == (6, 8)


def test_processes_leave_soon_after_a_check(prober, paths):
    """A process that joins all that it has started, would wait for them at its end."""
    before = set(psutil.Process().children(recursive=True))
    prober.probe(paths, np.ones(N, bool), "Checking")
    _, left = psutil.wait_procs(set(psutil.Process().children(recursive=True)) - before, timeout=30)
    assert not [process for process in left if "popen_loky" in command_of(process)]


def test_a_second_check_reads_only_what_has_changed_or_could_not_be_kept(prober, paths, monkeypatch):
    seen = watched(monkeypatch)
    first = prober.probe(paths, np.ones(N, bool), "Checking")
    assert seen == paths
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(paths[7])
    os.utime(paths[7], ns=(1, 1))
    seen.clear()
    second = prober.probe(paths, np.ones(N, bool), "Checking")
    assert seen == [paths[3], paths[5], paths[7]], "the broken, the missing and the changed one"
    assert second[7].width == 20 and second[:7] == first[:7] and second[8:] == first[8:]


def test_a_file_that_the_system_refused_is_read_again(prober, paths, monkeypatch):
    """Neither its size nor its time changes when the right to read it is given, or its disk comes back."""
    watched(monkeypatch)
    opened = os.open
    with monkeypatch.context() as refusing:
        refusing.setattr(os, "open", partial(_refused, opened, paths[7]))
        first = prober.probe(paths, np.ones(N, bool), "Checking")[7]
    assert (first.fault, first.detail.split(": ")[0]) == (
        "broken-files",
        f"{paths[7]} cannot be read (Permission denied)",
    )
    assert prober.probe(paths, np.ones(N, bool), "Checking")[7].fault == ""


def _refused(opened: Callable[..., int], refused: str, path: str, *rest: int) -> int:
    if path == refused:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return opened(path, *rest)


def test_a_check_that_was_interrupted_resumes_where_it_was(prober, paths, monkeypatch):
    seen = watched(monkeypatch)

    def interrupt(done: int, _total: int, _what: str) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Prober(prober.settings, prober.root, interrupt).probe(paths, np.ones(N, bool), "Checking")
    assert seen == paths[:8]
    seen.clear()
    told: list[int] = []
    Prober(prober.settings, prober.root, lambda done, *_: told.append(done)).probe(paths, np.ones(N, bool), "Checking")
    assert seen == [paths[3], paths[5], *paths[8:]]
    assert told == [8, 12], "the bar begins with what is known"


def test_a_file_whose_header_was_read_is_decoded_where_that_is_asked_for(prober, paths, monkeypatch):
    seen = watched(monkeypatch)
    prober.probe(paths, np.zeros(N, bool), "Checking")
    seen.clear()
    full = np.zeros(N, bool)
    full[:2] = True
    prober.probe(paths, full, "Checking")
    assert seen == [*paths[:2], paths[3], paths[5]]


def test_what_a_link_leads_to_is_probed_each_time(prober, paths, monkeypatch):
    Path(paths[5]).symlink_to(paths[4])
    seen = watched(monkeypatch)
    prober.probe(paths, np.ones(N, bool), "Checking")
    seen.clear()
    prober.probe(paths, np.ones(N, bool), "Checking")
    assert seen == [paths[3], paths[5]], "the broken one and the link"


@pytest.mark.parametrize("damage", ["no database", "other table", "read-only"])
def test_a_cache_that_fails_costs_a_second_probe_and_nothing_else(prober, paths, damage):
    home = prober.settings.home
    first = prober.probe(paths, np.ones(N, bool), "Checking")
    (kept,) = (home / FOLDER).iterdir()
    if damage == "no database":
        kept.write_bytes(b"garbage" * 1_000)
    elif damage == "other table":
        with closing(sqlite3.connect(kept)) as database, database:
            database.execute("DROP TABLE probes")
            database.execute("CREATE TABLE probes (path TEXT PRIMARY KEY)")
    else:
        kept.unlink()
        (home / FOLDER).rmdir()
        (home / FOLDER).write_text("a file where a folder should be")
    assert prober.probe(paths, np.ones(N, bool), "Checking") == first


def test_a_probe_does_not_count_beyond_todays_limit_of_pixels(tmp_path, paths):
    kept = ProbeCache(tmp_path / "probes.sqlite")
    about = os.stat(paths[0])
    kept.keep(paths[:1], [Probe("", "", about.st_size, 100, 100, about.st_mtime_ns, True)])
    assert list(kept.find(paths, np.ones(N, bool), 10_000)) == [0]
    assert kept.find(paths, np.ones(N, bool), 9_999) == {}
    kept.close()
