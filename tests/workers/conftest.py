"""A home with a small data set, and real services on it, shared or of one's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slim_core.data.sets.digits import DemoConfig, write_demo
from tests.built_once import built_once
from tests.workers.worker_bench import Bench, bench_at
from workers.local import server_binary

SERVERS = {"redis-server", "valkey-server"}


@pytest.fixture(scope="session", autouse=True)
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """SLIM_TEST_REDIS=path: the server on PATH or none; bundled: that of the package; unset: whichever is found."""
    wanted = os.environ.get("SLIM_TEST_REDIS", "")
    assert wanted in ("", "path", "bundled"), f"SLIM_TEST_REDIS is {wanted!r}: take path or bundled"
    with pytest.MonkeyPatch.context() as patch:
        if wanted == "bundled":
            patch.setenv("PATH", _path_without_servers(tmp_path_factory.mktemp("path")))
        found = server_binary()
        assert not wanted or (shutil.which(Path(found).name) is None) == (wanted == "bundled"), found
        yield


def _path_without_servers(folder: Path) -> str:
    """PATH with links in place of each folder that holds a Redis server, to all else in it."""
    kept: list[str] = []
    for n, each in enumerate(os.environ["PATH"].split(os.pathsep)):
        names = set(os.listdir(each)) if os.path.isdir(each) else set()
        if not names & SERVERS:
            kept.append(each)
            continue
        (folder / str(n)).mkdir()
        for name in names - SERVERS:
            (folder / str(n) / name).symlink_to(Path(each, name).resolve())
        kept.append(str(folder / str(n)))
    return os.pathsep.join(kept)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny demo data set."""
    config = DemoConfig(train=16, val=8, test=8, size=16)
    return built_once(tmp_path_factory, "images", lambda folder: write_demo(folder, config))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Iterator[Bench]:
    """Services shared by the tests of a module that leave them whole."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with bench_at(tmp_path_factory.mktemp("bench") / "home", images) as made:
        yield made


@pytest.fixture
def fresh_bench(tmp_path: Path, images: Path) -> Callable[..., object]:
    """A context manager that makes services of one's own, to break."""
    return lambda **settings: bench_at(tmp_path / "home", images, **settings)
