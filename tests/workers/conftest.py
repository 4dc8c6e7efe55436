"""A home with a small data set, and real services on it, shared or of one's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slim_core.data.sets.digits import DemoConfig, write_demo
from tests.workers.worker_bench import Bench, bench_at


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny demo data set."""
    folder = tmp_path_factory.mktemp("images")
    write_demo(folder, DemoConfig(train=16, val=8, test=8, size=16))
    return folder


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
