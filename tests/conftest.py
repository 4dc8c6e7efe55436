"""What every room's tests share: a small demo set, and a table of a few images."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sqlalchemy.engine import Engine

from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.data.table import COLUMNS, ImageTable
from slim_core.store.database import Database
from tests.built_once import built_once, written_since
from tests.shares import in_order, pytest_xdist_make_scheduler  # noqa: F401 (a hook)

# Processes that tests start import this tree, whichever tree the virtual environment was installed from.
ROOT = str(Path(__file__).parents[1])
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
# Who runs the tests may use the product as well: no test reads their settings, or writes into their database.
for name in [one for one in os.environ if one.startswith(("SLIM_", "STREAMLIT_")) and not one.startswith("SLIM_TEST_")]:
    del os.environ[name]

SMALL_DEMO = DemoConfig(seed=0, train=200, val=60, test=80)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported and collected stays to the end: no later collection of garbage goes through all of it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(10_000, 10, 50)  # every collection goes through what tests import late: a fifteenth as many


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the tests, those that wait come first."""
    if hasattr(config, "workerinput"):
        items[:] = in_order(items)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A test that writes into what all read breaks another one at some other time: say so each time.

    First, since pytest removes it at the end where no test has failed.
    """
    if hasattr(session.config, "workerinput"):
        return
    written = written_since(session.config._tmp_path_factory.getbasetemp())
    if written:
        print("\nWritten into by a test, though others read it:", *written[:9], sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def uncollected() -> Iterator[None]:
    """For what goes as deep as Python does: garbage of earlier tests, finalized down there, finds no room and fails."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def known_statements(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each test opens a database file of its own, whose engine would compile every statement anew.

    What was compiled depends on the dialect alone, not on the file, so that of the first file serves all.
    """
    first = Database(f"sqlite:///{tmp_path_factory.mktemp('first') / 'slim.db'}").engine
    first.connect().close()  # its dialect knows the default schema from now on
    build = Database._build

    def build_alike(database: Database) -> Engine:
        engine = build(database)
        if database.is_sqlite:
            engine.dialect = engine.pool._dialect = first.dialect
            engine._compiled_cache = first._compiled_cache
        return engine

    first._compiled_cache.capacity = 5_000  # ten times SQLAlchemy's, for all statements of all tests
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_build", build_alike)
        yield
    first.dispose()


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory):
    """A demo set of 340 images with masks, written once; read it, never write into it."""
    return built_once(tmp_path_factory, "demo", lambda folder: write_demo(folder, SMALL_DEMO))


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory):
    """A demo set of 40 images, for what looks at a few of them or at none; read it, never write into it."""
    few = DemoConfig(train=20, val=10, test=10)
    return built_once(tmp_path_factory, "small-demo", lambda folder: write_demo(folder, few))


@pytest.fixture
def tiny_table(tmp_path):
    """Twelve 32 x 24 images: two classes, two attributes, three splits; row 0 has a mask, row 1 a box."""
    rng = np.random.default_rng(0)
    for row in range(12):
        Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8)).save(tmp_path / f"{row}.png")
    mask = np.zeros((24, 32), np.uint8)
    mask[4:12, 8:16] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    frame = pd.DataFrame(
        {
            "path": [f"{row}.png" for row in range(12)],
            "split": np.repeat(["train", "val", "test"], 4),
            "label": [0, 0, 1, 1] * 3,
            "attribute": [0, 1, 0, 1] * 3,
            "mask": ["mask.png"] + [""] * 11,
            "box_x": [np.nan, 8.0] + [np.nan] * 10,
            "box_y": [np.nan, 4.0] + [np.nan] * 10,
            "box_width": [np.nan, 8.0] + [np.nan] * 10,
            "box_height": [np.nan, 8.0] + [np.nan] * 10,
        }
    )
    names = ("landbird", "waterbird"), "place", ("land", "water")
    return ImageTable("tiny", tmp_path, frame[list(COLUMNS)], *names)
