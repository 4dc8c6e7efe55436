"""What the cases are sent to: a dashboard, a worker service and a Redis of their own, on one home with real results."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from redis import Redis

from app import session
from app.session import Viewer
from benchmarks.dashboard import command
from benchmarks.hostile.watch import Canaries
from benchmarks.processes import ended_with, free_port, until
from slim_core.data.importing import import_data
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.runs.executor import InProcess, Workbench
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import Loop
from slim_core.settings import Settings
from slim_core.store import Run, Store
from workers.local import server_binary

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 60.0
DEMO = DemoConfig(train=80, val=24, test=24, size=32)
SHORT = {"epochs": 1, "batch_size": 16}


@dataclass(frozen=True)
class Results:
    """Ids of what is there to be attacked."""

    dataset: str
    other_dataset: str  # nothing of ``dataset`` may be seen through it
    model: str
    attention: str
    space: str
    subset: str
    evaluation: str
    campaign: str  # open
    items: tuple[int, ...]  # of the campaign


@dataclass(frozen=True)
class Studio:
    """The running processes, and where everything is."""

    folder: Path
    settings: Settings
    store: Store
    results: Results
    canaries: Canaries
    port: int
    app_pid: int
    worker_pid: int

    @property
    def inside(self) -> Path:
        """The one folder that data may be registered from."""
        return self.folder / "inside"

    @property
    def environment(self) -> dict[str, str]:
        """Of the services and of every command."""
        return environment(self.settings)

    def token(self, role: session.Role = "annotator", name: str = "ann", **narrowed: tuple[str, ...]) -> str:
        """A ticket as a page signs it."""
        return session.sign(Viewer(name, role, **narrowed), self.settings.home)

    def redis(self) -> Redis:
        """A client of its Redis."""
        return Redis.from_url(str(self.settings.redis_url))

    def slots(self) -> set[int]:
        """Process ids of the workers; a worker that ended is replaced by another."""
        return {child.pid for child in psutil.Process(self.worker_pid).children()}


def environment(settings: Settings) -> dict[str, str]:
    """Nothing of the caller's own SLIM_* settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SLIM_", "STREAMLIT_"))}
    return inherited | {
        "SLIM_HOME": str(settings.home),
        "SLIM_DATA_ROOTS": ":".join(map(str, settings.data_roots)),
        "SLIM_REDIS_URL": str(settings.redis_url),
        "SLIM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
    }


@contextmanager
def studio(folder: Path) -> Iterator[Studio]:
    """All of it in this folder; every process ends with the block."""
    (folder / "inside").mkdir()
    password = secrets.token_urlsafe(16)
    redis_port, port = free_port(), free_port()
    settings = Settings(
        home=folder / "home", data_roots=(folder / "inside",), threads=1,
        redis_url=f"redis://:{password}@127.0.0.1:{redis_port}/0",
    )  # fmt: skip
    store = Store.open(settings)
    results = make_results(store, folder / "inside")
    with ExitStack() as stack:
        stack.callback(store.close)
        _redis(stack, folder, redis_port, password)
        app = _service(stack, settings, "dashboard", command(port))
        worker = _service(stack, settings, "workers", [sys.executable, "-m", "workers", "--cpu", "1"])
        until(lambda: answers(port), "the dashboard to answer", START_TIMEOUT_S)
        await_workers(store)
        yield Studio(folder, settings, store, results, Canaries(folder / "outside"), port, app.pid, worker.pid)


def make_results(store: Store, inside: Path) -> Results:
    """One loop on demo data, and a campaign that takes answers."""
    write_demo(inside / "demo", DEMO)
    write_demo(inside / "other", DEMO)
    dataset, other = (
        store.datasets.register(import_data(inside / name, settings=store.settings), by="benchmark")
        for name in ("demo", "other")
    )
    loop = Loop(
        Workbench(store, InProcess(store, device="cpu")), LoopConfig(dataset=dataset.id, answers=0.2, train=SHORT)
    )
    outcome = loop.outcome("slim")
    assert outcome.subset is not None
    asked = store.datasets.table(dataset.id).rows("train")[:40]
    campaign = store.campaigns.create("Open", dataset.id, loop.space.id, asked, by="benchmark")
    items = tuple(item.id for item in store.campaigns.items(campaign.id))
    return Results(
        dataset.id, other.id, outcome.model.id, attention_of(loop.space), loop.space.id, outcome.subset.id,
        outcome.evaluation.id, campaign.id, items,
    )  # fmt: skip


def attention_of(space: Run) -> str:
    """The gradcam run of a space."""
    return str(space.spec["attention"])


def _redis(stack: ExitStack, folder: Path, port: int, password: str) -> None:
    (folder / "redis").mkdir()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", password, "--dir", str(folder / "redis")]
    ended_with(stack, subprocess.Popen([server_binary(), *options, "--save", ""], stdout=subprocess.DEVNULL))


def _service(stack: ExitStack, settings: Settings, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
    with (settings.home / f"{name}.log").open("wb") as log:
        started = subprocess.Popen(command, cwd=ROOT, env=environment(settings), stdout=log, stderr=subprocess.STDOUT)
    return ended_with(stack, started)


def answers(port: int) -> bool:
    """Whether the dashboard does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
            return True
    except OSError:
        return False


def await_workers(store: Store) -> None:
    """Until both workers have given a sign of life."""
    until(lambda: len(store.workers.alive()) >= 2, "two workers", START_TIMEOUT_S)
