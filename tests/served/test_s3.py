"""Train, gradcam and evaluate over artifacts on S3: workers share the database, Redis and S3, and no folder."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app import session
from app.routes.images import image_url
from benchmarks import processes
from benchmarks.page_session import PageSession
from benchmarks.served.topology import ROOT, Topology
from slim_core.data.importing import import_data
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.settings import Settings
from slim_core.steps.specs import parse_spec
from slim_core.store import Run, Store
from tests.s3_server import BUCKET, Gate, names, needs_s3, s3_server
from tests.served.conftest import needs_postgres
from workers.queue import Queue

HOST = "127.0.0.1"
PATIENCE_S = 240.0
URL = f"s3://{BUCKET}/team"
SOON = {"SLIM_LEASE_S": "6", "OMP_NUM_THREADS": "1", "SLIM_ARTIFACTS_URL": URL}

pytestmark = [
    needs_s3,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.kills_processes,
    needs_postgres,
]


def until(condition: Callable[[], object], what: str) -> None:
    processes.until(condition, what, PATIENCE_S)


class Team:
    """Machines: each has a SLIM_HOME of its own."""

    def __init__(self, topology: Topology, folder: Path, gate: Gate) -> None:
        self.topology, self.folder, self.gate = topology, folder, gate
        given = topology.settings()
        self.settings = Settings(
            home=folder / "here", data_roots=given.data_roots, database_url=given.database_url,
            redis_url=given.redis_url, artifacts_url=URL,
        )  # fmt: skip
        self.store = Store.open(self.settings)
        topology.stack.callback(self.store.close)

    def home(self, machine: str) -> Path:
        return self.folder / machine

    def start(self, machine: str, *command: str) -> subprocess.Popen[bytes]:
        environment = self.topology.environment("worker") | {"SLIM_HOME": str(self.home(machine))}
        with (self.folder / f"{machine}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        return processes.ended_with(self.topology.stack, process)

    def worker(self, machine: str) -> subprocess.Popen[bytes]:
        """A worker service, which takes runs from now on."""
        before = len(self.store.workers.alive())
        process = self.start(machine, "workers")
        until(lambda: len(self.store.workers.alive()) >= before + 2, f"the worker {machine}")
        return process

    def submit(self, **spec: Any) -> Run:
        run, _ = self.store.runs.submit(parse_spec(spec), by="tests")
        Queue(self.settings, self.store).submit(run)
        return run

    def fetch(self, run: Run) -> Run:
        return self.store.runs.fetch(run.id)

    def done(self, run: Run) -> Run:
        until(lambda: self.fetch(run).ended, f"{run.kind} to end")
        found = self.fetch(run)
        assert found.status == "done", found.message
        return found


@pytest.fixture
def team(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    write_demo(tmp_path / "images" / "demo", DemoConfig(train=64, val=16, test=16, size=32))
    with s3_server(monkeypatch) as gate, ExitStack() as stack:
        topology = Topology(tmp_path, database, stack, more=SOON)
        topology.start_redis()
        until(topology.redis_is_healthy, "Redis to be healthy")
        yield Team(topology, tmp_path, gate)


def trained(team: Team, epochs: int, seed: int = 0) -> Run:
    dataset = team.store.datasets.register(import_data(team.folder / "images" / "demo", settings=team.settings))
    return team.submit(
        kind="train", dataset=dataset.id, model="small-resnet", epochs=epochs, batch_size=16, patience=None, seed=seed
    )


def test_a_chain_outlives_its_worker_and_every_machine_has_what_it_needs_from_s3(team: Team) -> None:
    first = team.worker("first")
    train = trained(team, epochs=60)
    until(lambda: team.fetch(train).progress.get("done", 0) > 1, "the training to get on")
    second = team.worker("second")
    first.kill()
    maps = team.submit(kind="gradcam", dataset=train.dataset_id, model=train.id, splits=["test"])
    assert team.done(train).attempt == 2, "the second worker took it over"
    team.done(maps)
    processes.end(second)

    team.worker("third")
    evaluated = team.done(team.submit(kind="evaluate", dataset=train.dataset_id, model=train.id, split="test"))
    assert evaluated.metrics is not None and 0 <= evaluated.metrics["wga"] <= 1
    assert (team.home("third") / "runs" / train.id).is_dir(), "the model came from S3"
    assert not (team.home("third") / "runs" / maps.id).exists(), "and nothing that it did not need"
    published = {name.split("/")[3] for name in names(f"{BUCKET}/team/runs") if name.endswith("/published.json")}
    assert published >= {train.id, maps.id, evaluated.id}
    assert list(team.store.artifacts.folder(maps.id).glob("maps*")), "read on a machine that has computed none of it"

    port = processes.free_port()
    team.start("app", "streamlit", "run", "app/main.py", "--server.headless=true", f"--server.address={HOST}",
               f"--server.port={port}")  # fmt: skip
    until(lambda: answers(f"http://{HOST}:{port}/readyz"), "the dashboard")
    for page, query in (("compare", f"dataset={train.dataset_id}"), ("attention", f"attention={maps.id}")):
        shown = PageSession(port, page, query)
        shown.open()
        shown.close()
        assert shown.problems == []
    row = int(team.store.datasets.table(train.dataset_id).rows("test")[0])
    ticket = session.sign(session.Viewer("local", "admin"), team.home("app"))
    overlay = image_url(train.dataset_id, row, ticket, kind="overlay", run=maps.id)
    assert answers(f"http://{HOST}:{port}{overlay}").startswith(b"RIFF")  # a WebP image


def test_a_run_that_ends_while_s3_is_away_waits_for_it(team: Team) -> None:
    team.worker("first")
    train = trained(team, epochs=60)
    until(lambda: team.fetch(train).progress.get("done", 0) > 1, "the training to get on")
    team.gate.shut()
    log = team.home("first") / "work" / train.id / "attempt-1" / "log.txt"
    until(lambda: f"Run {train.id} waits: The artifacts at {URL} cannot be reached" in log.read_text(), "the wait")
    assert team.fetch(train).status == "running"
    team.gate.open()
    assert team.done(train).attempt == 1
    assert (team.store.artifacts.folder(train.id) / "metrics.json").is_file()


def answers(address: str) -> bytes:
    """What is there; nothing while nobody answers."""
    try:
        with urllib.request.urlopen(address, timeout=30) as reply:
            return bytes(reply.read())
    except OSError:
        return b""
