"""Machines that share a database, Redis and S3, and no folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.served.topology import ROOT, Topology
from slim_core.data.importing import import_data
from slim_core.settings import Settings
from slim_core.steps.specs import parse_spec
from slim_core.store import Run, Store
from tests.s3_server import BUCKET, Gate
from tests.served.hosts import Host
from workers.queue import Queue

PATIENCE_S = 240.0
URL = f"s3://{BUCKET}/team"
SOON = {"SLIM_LEASE_S": "6", "OMP_NUM_THREADS": "1", "SLIM_ARTIFACTS_URL": URL}


def until(condition: Callable[[], object], what: str) -> None:
    processes.until(condition, what, PATIENCE_S)


class Team:
    """Machines: each has a SLIM_HOME of its own. Those that are hosts have an address of their own, too."""

    def __init__(self, topology: Topology, folder: Path, gate: Gate, hosts: Mapping[str, Host] | None = None) -> None:
        self.topology, self.folder, self.gate, self.hosts = topology, folder, gate, hosts or {}
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
        program = [sys.executable, "-m", *command]
        if host := self.hosts.get(machine):
            program, environment = host.inside(program), host.as_seen(environment)
        with (self.folder / f"{machine}.log").open("ab") as log:
            process = subprocess.Popen(program, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        return processes.ended_with(self.topology.stack, process)

    def worker(self, machine: str) -> subprocess.Popen[bytes]:
        """A worker service, which takes runs from now on."""
        before = len(self.store.workers.alive())
        process = self.start(machine, "workers")
        until(lambda: len(self.store.workers.alive()) >= before + 2, f"the worker {machine}")
        return process

    def submit(self, *, force: bool = False, sharded: bool = True, **spec: Any) -> Run:
        run, _ = self.store.runs.submit(parse_spec(spec), by="tests", force=force, sharded=sharded)
        Queue(self.settings, self.store).submit(run)
        return run

    def fetch(self, run: Run) -> Run:
        return self.store.runs.fetch(run.id)

    def done(self, run: Run) -> Run:
        until(lambda: self.fetch(run).ended, f"{run.kind} to end")
        found = self.fetch(run)
        assert found.status == "done", found.message
        return found


def trained(team: Team, epochs: int, **spec: Any) -> Run:
    dataset = team.store.datasets.register(import_data(team.folder / "images" / "demo", settings=team.settings))
    return team.submit(
        kind="train", dataset=dataset.id, model="small-resnet", epochs=epochs, batch_size=16, patience=None, **spec
    )
