"""A store in a folder of its own, and one small loop that several tests look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import typer.main

from slim_core import api
from slim_core.annotation.simulated_annotator import simulate_answers
from slim_core.runs.executor import InProcess, Workbench
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import USUAL, Loop, Outcome
from slim_core.settings import Settings, settings
from slim_core.store import Campaign, Dataset, Store
from tests.annotators import median_threshold
from tests.built_once import built_once
from tests.placed_quickly import placed_quickly

QUICK = {"epochs": 2, "batch_size": 32}


@dataclass(frozen=True)
class Looped:
    """A loop that has been run."""

    at: Workbench
    dataset: Dataset
    loop: Loop
    outcomes: dict[str, Outcome]
    threshold: float  # of the simulated annotator: half of its answers are "right"


def open_bench(home: Path) -> Workbench:
    store = Store.open(Settings(home=home))
    return Workbench(store, InProcess(store, device="cpu"))


@pytest.fixture(scope="session", autouse=True)
def known_commands() -> Iterator[None]:
    """Typer makes all commands anew for each command line, which a test may give many of: once is enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session")
def new_database(tmp_path_factory):
    """What a store makes in a new home: made once, since that takes all migrations. Copy it."""
    made = built_once(tmp_path_factory, "new", lambda folder: Store.open(Settings(home=folder / "home")).close())
    return made / "home" / "slim.db"


@pytest.fixture
def new_home(new_database, tmp_path):
    """A home in which nothing has happened yet."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(new_database, home)
    return home


@pytest.fixture
def workbench(new_home):
    """An empty store whose runs this process executes."""
    at = open_bench(new_home)
    yield at
    at.store.close()


@pytest.fixture
def store(new_home, monkeypatch):
    """The store of a SLIM_HOME that commands find as they would."""
    monkeypatch.setenv("SLIM_HOME", str(new_home))
    settings.cache_clear()
    opened = Store.open()
    yield opened
    opened.close()
    settings.cache_clear()


@pytest.fixture(scope="session")
def looped(demo_folder, tmp_path_factory):
    """All six methods on the small demo set. Read it; what a test adds, other tests of its process see."""
    yield from looped_copy(demo_folder, tmp_path_factory)


def looped_copy(demo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looped]:
    """A copy of its own: for tests that lean on which run is the newest."""
    built = built_once(
        tmp_path_factory, "looped", lambda folder: loop_at(folder / "home", demo_folder).at.store.close()
    )
    home = Path(shutil.copytree(built / "home", tmp_path_factory.mktemp("looped") / "home"))
    found = loop_at(home, demo_folder)
    yield found
    found.at.store.close()


def loop_at(home: Path, demo_folder: Path) -> Looped:
    """Run the loop, or find that it was run: a run with the spec of a finished one is that run."""
    at = open_bench(home)
    dataset = api.data_set(demo_folder, at=at)
    thresholds = []

    def annotate(campaign: Campaign) -> int:
        thresholds.append(median_threshold(at.store, campaign))
        return simulate_answers(at.store, campaign.id, threshold=thresholds[-1])

    loop = Loop(at, LoopConfig(dataset=dataset.id, size=60, train=QUICK), annotate=annotate)
    loop.converged_erm = loop.reference  # nothing converges in two epochs
    with placed_quickly():
        outcomes = {method: loop.outcome(method) for method in USUAL}
    return Looped(at, dataset, loop, outcomes, thresholds[0])


@pytest.fixture
def plain_folder(demo_folder, tmp_path):
    """The small demo set without attributes and masks, as a CSV with named columns."""
    folder = tmp_path / "plain"
    folder.mkdir()
    shutil.copytree(demo_folder / "images", folder / "images")
    metadata = pd.read_csv(demo_folder / "metadata.csv")
    split = metadata["split"].map({0: "train", 1: "val", 2: "test"})
    frame = pd.DataFrame({"path": metadata["img_filename"], "split": split, "label": metadata["y"]})
    frame.to_csv(folder / "metadata.csv", index=False)
    return folder
