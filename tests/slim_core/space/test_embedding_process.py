"""Spaces from a process of their own: the same points, ended at once, and never left behind."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from slim_core.errors import RunCanceledError, SpecRefusedError
from slim_core.space import embedding_process
from slim_core.space.embedding import SpaceConfig, embed
from slim_core.space.embedding_process import EmbeddingFailedError, Heard, embed_apart

LIMIT_S = 60.0


def stored(folder: Path, name: str, n: int = 120, k: int = 16) -> Path:
    """(n, k) float16 features on disk."""
    np.save(folder / f"{name}.npy", np.random.default_rng(len(name)).normal(size=(n, k)).astype(np.float16))
    return folder / f"{name}.npy"


@pytest.fixture
def exchange(tmp_path: Path) -> Path:
    (tmp_path / "exchange").mkdir()
    return tmp_path / "exchange"


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "slim_core.space.embedding_process" in one.cmdline()]


def apart(sources: dict[str, Path], exchange: Path, **options) -> dict[str, np.ndarray]:
    options = {"on_progress": lambda _heard: None, "check_stop": lambda: None} | options
    return embed_apart(sources, np.arange(0, 120, 2), SpaceConfig(seed=3), exchange, **options)


def test_the_points_are_those_of_the_same_process_and_its_epochs_are_told(tmp_path, exchange):
    sources = {name: stored(tmp_path, name) for name in ("attention", "environment")}
    told: list[Heard] = []
    found = apart(sources, exchange, on_progress=lambda heard: told.append(Heard(**vars(heard))))
    for name, path in sources.items():
        expected = embed(np.load(path)[::2].astype(np.float32), SpaceConfig(seed=3))
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == np.float32
    assert {"attention"} <= {one.name for one in told} and max(one.cpu_s for one in told) > 0
    assert not children()


def test_the_child_imports_the_code_of_its_parent_and_not_what_is_installed():
    assert Path(embedding_process.__file__).is_relative_to(embedding_process._ROOT / "slim_core")


def test_epochs_of_umap_are_heard():
    heard: list[tuple[int, int]] = []
    embed(np.random.default_rng(0).normal(size=(60, 8)), on_epoch=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (500, 500)


def test_a_stop_ends_the_process_whatever_it_is_doing(tmp_path, exchange):
    seen: list[psutil.Process] = []

    def check_stop() -> None:
        seen.extend(children())
        if len(seen) > 5:
            raise RunCanceledError("stopped")

    started = time.monotonic()
    with pytest.raises(RunCanceledError):
        apart({"attention": stored(tmp_path, "attention")}, exchange, check_stop=check_stop)
    assert time.monotonic() - started < LIMIT_S
    assert not any(process.is_running() for process in seen)


@pytest.mark.kills_processes
def test_the_process_ends_with_its_parent_also_when_that_is_killed(tmp_path, exchange):
    source = stored(tmp_path, "attention")
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from slim_core.space.embedding_process import embed_apart; from slim_core.space.embedding import SpaceConfig\n"
        f"embed_apart({{'attention': Path({str(source)!r})}}, np.arange(120), SpaceConfig(), Path({str(exchange)!r}),"
        " on_progress=lambda heard: None, check_stop=lambda: None)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        end = time.monotonic() + LIMIT_S
        while not (found := psutil.Process(parent.pid).children()) and time.monotonic() < end:
            time.sleep(0.02)
        (child,) = found
        while child.num_threads() < 1 or child.cpu_times().user < 0.2:  # it is at work
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    child.wait(LIMIT_S)


def test_what_the_features_are_refused_for_comes_back_as_the_same_sentence(tmp_path, exchange, caplog):
    features = np.ones((120, 4), np.float16)
    features[10, 2] = np.inf
    np.save(tmp_path / "attention.npy", features)
    with caplog.at_level(logging.INFO), pytest.raises(SpecRefusedError, match="features of image 5 of this split are"):
        apart({"attention": tmp_path / "attention.npy"}, exchange)
    assert "the space failed" in caplog.text, "the child's log is this process's log"


def test_a_file_that_is_gone_is_the_same_error_as_here(tmp_path, exchange):
    with pytest.raises(OSError, match="No such file") as caught:
        apart({"attention": tmp_path / "gone.npy"}, exchange)
    assert caught.value.errno == errno.ENOENT


@pytest.mark.kills_processes
def test_a_process_that_is_killed_is_told_in_a_sentence(tmp_path, exchange):
    def kill(_heard: Heard) -> None:
        for child in children():
            os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(EmbeddingFailedError, match="was killed, most likely for want of memory"):
        apart({"attention": stored(tmp_path, "attention")}, exchange, on_progress=kill)


@pytest.mark.parametrize(
    ("returncode", "told", "error", "message"),
    [
        (1, {"error": "MemoryError", "message": ""}, MemoryError, ""),
        (1, {"error": "OSError", "message": "No space left", "errno": 28}, OSError, "No space left"),
        (1, {"error": "ValueError", "message": "odd"}, EmbeddingFailedError, "UMAP failed with ValueError: odd"),
        (-11, {}, EmbeddingFailedError, "ended by SIGSEGV: see the log, then retry"),
        (3, {}, EmbeddingFailedError, "ended with exit code 3"),
    ],
)
def test_each_end_of_the_process_has_its_error(tmp_path, returncode, told, error, message):
    (tmp_path / "stderr.txt").write_text("")
    found = embedding_process._failure(returncode, Heard(error=told), tmp_path)
    assert isinstance(found, error) and message in str(found)
