"""What compose.yaml describes, as real processes: its commands, its environment, its checks; hosts and folders aside.

Containers give each service a name and a folder; here the names become ports of this machine and the folders those of
the test. The database is one of the PostgreSQL server of the tests. Leases are short, so that a loss is noticed soon.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
import yaml

from slim_core.data.importing import import_data
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.settings import Settings
from slim_core.steps.registry import parse_spec
from slim_core.store import Store
from slim_core.store.database import driver_url
from tests.browser.server import end, free_port
from workers.queue import Queue

ROOT = Path(__file__).parents[2]
POSTGRES = os.environ.get("SLIM_TEST_POSTGRES_URL")
PATIENCE_S = 90.0
EPOCHS = 80  # seconds of training, so that a worker can be killed in the middle
SOON = {"SLIM_LEASE_S": "4", "SLIM_RENEW_S": "1", "OMP_NUM_THREADS": "1"}

pytestmark = [
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.kills_processes,
    pytest.mark.skipif(not POSTGRES and "CI" not in os.environ, reason="no PostgreSQL"),
]


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE_S:.0f} s in vain for: {what}"
        time.sleep(0.05)


@dataclass
class Team:
    """The services of compose.yaml on this machine."""

    folder: Path
    database: str  # URL
    stack: ExitStack
    redis_port: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    passwords: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.passwords = {name: secrets.token_urlsafe(12) for name in ("REDIS_PASSWORD", "POSTGRES_PASSWORD")}
        self.services: dict[str, Any] = yaml.safe_load(self._filled((ROOT / "compose.yaml").read_text()))["services"]

    def _filled(self, text: str) -> str:
        """With the values of .env in place of ${NAME:?...}."""
        values = self.passwords | {"DATA_DIR": str(self.folder / "images")}
        return re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: values[found[1]], text)

    def environment(self, service: str) -> dict[str, str]:
        """Of a service; the names of the other containers are this machine's, and their folders the test's."""
        given = {name: str(value) for name, value in self.services[service]["environment"].items()}
        for name, value in given.items():
            given[name] = value.replace("@redis:6379", f"@127.0.0.1:{self.redis_port}")
        folders = {"SLIM_HOME": str(self.folder / "home"), "SLIM_DATA_ROOTS": str(self.folder / "images")}
        ours = {"SLIM_DATABASE_URL": self.database, **folders, **SOON}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SLIM_")}
        return kept | given | {name: value for name, value in ours.items() if name in given or name in SOON}

    def start(self, service: str, *options: str, name: str = "") -> subprocess.Popen[bytes]:
        """Its command, or that of the image; it ends with the team, in the time that compose gives it."""
        with (self.folder / f"{name or service}.log").open("wb") as log:
            process = subprocess.Popen(
                [*on_this_machine(self.services[service].get("command") or command_of_the_image()), *options],
                cwd=ROOT, env=self.environment(service), stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.stack.callback(end, process, seconds(self.services[service].get("stop_grace_period", "10s")))
        return process

    def is_healthy(self, service: str, *options: str, **variables: str) -> bool:
        """What its own check says."""
        kind, program, *words = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        checked = subprocess.run(
            on_this_machine([program, *options, *words]), env=self.environment(service) | variables, capture_output=True
        )
        return checked.returncode == 0

    def settings(self) -> Settings:
        """What a worker reads."""
        given = self.environment("worker")
        return Settings(
            home=given["SLIM_HOME"], data_roots=(given["SLIM_DATA_ROOTS"],), database_url=given["SLIM_DATABASE_URL"],
            redis_url=given["SLIM_REDIS_URL"], lease_s=float(SOON["SLIM_LEASE_S"]),
        )  # fmt: skip


def command_of_the_image() -> list[str]:
    """CMD of the Dockerfile."""
    (line,) = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("CMD ")]
    command: list[str] = json.loads(line.removeprefix("CMD "))
    return command


def on_this_machine(command: list[str]) -> list[str]:
    """With this Python in place of the image's."""
    first, *rest = command
    return {"python": [sys.executable], "streamlit": [sys.executable, "-m", "streamlit"]}.get(first, [first]) + rest


def seconds(period: str) -> float:
    return float(period.removesuffix("s"))


@pytest.fixture
def database() -> Iterator[str]:
    """An empty database; nobody has migrated it."""
    assert POSTGRES, "SLIM_TEST_POSTGRES_URL names no PostgreSQL server, which CI must have"
    engine = sa.create_engine(driver_url(POSTGRES), isolation_level="AUTOCOMMIT")
    name = f"slim_served_{secrets.token_hex(4)}"
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield engine.url.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def team(tmp_path: Path, database: str) -> Iterator[Team]:
    """Redis with its password; the rest is started by the test."""
    write_demo(tmp_path / "images" / "demo", DemoConfig(train=32, val=8, test=8, size=16))
    (tmp_path / "redis").mkdir()
    with ExitStack() as stack:
        made = Team(tmp_path, database, stack)
        at = ("--port", str(made.redis_port), "--dir", str(tmp_path / "redis"), "--bind", "127.0.0.1")
        made.start("redis", *at)
        until(lambda: made.is_healthy("redis", "-p", str(made.redis_port)), "Redis to be healthy")
        yield made


def test_a_run_of_a_worker_that_is_killed_is_finished_by_the_other_one(team: Team) -> None:
    assert not team.is_healthy("redis", "-p", str(team.redis_port), REDISCLI_AUTH="wrong"), "the password is needed"
    team.start("app", "--server.port", str(team.port))
    address = {"SLIM_PORT": str(team.port)}
    until(lambda: team.is_healthy("app", **address), "the app, which migrates the database, to be healthy")
    workers = {name: team.start("worker", name=name) for name in ("first", "second")}
    store = Store.open(team.settings())
    team.stack.callback(store.close)
    until(lambda: len(store.workers.alive()) == 4, "two workers of two processes each")

    dataset = store.datasets.register(import_data(team.folder / "images" / "demo", settings=team.settings()))
    spec = {
        "kind": "train",
        "dataset": dataset.id,
        "model": "small-resnet",
        "epochs": EPOCHS,
        "batch_size": 16,
        "patience": None,
    }
    run, _ = store.runs.submit(parse_spec(spec), by="tests")
    Queue(team.settings(), store).submit(run)
    until(lambda: store.runs.fetch(run.id).progress.get("done", 0) > 1, "the training to get on")
    lost = store.runs.fetch(run.id).worker
    pid = next(one.pid for one in store.workers.alive() if one.id == lost)
    killed = next(name for name, process in workers.items() if is_child(pid, process.pid))
    workers[killed].kill()  # its processes end with it

    until(lambda: store.runs.fetch(run.id).ended, "the other worker to finish the run")
    done = store.runs.fetch(run.id)
    assert done.status == "done" and done.attempt == 2 and done.worker != lost
    assert done.metrics is not None and done.metrics["epochs"] == EPOCHS
    assert team.is_healthy("app", **address)


def is_child(pid: int, parent: int) -> bool:
    return f"PPid:\t{parent}\n" in Path(f"/proc/{pid}/status").read_text()


def test_the_database_is_reached_as_the_check_of_compose_does(team: Team) -> None:
    at = urlsplit(POSTGRES or "")
    host = dict(part.split("=") for part in at.query.split("&") if part).get("host", at.hostname or "")
    assert team.is_healthy("database", PGHOST=host, PGPORT=str(at.port or 5432))
    assert not team.is_healthy("database", PGHOST=str(team.folder))


def test_every_service_is_restarted_and_no_database_is_published(team: Team) -> None:
    for name, service in team.services.items():
        assert service["restart"] == "unless-stopped", name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert not any("ports" in team.services[name] for name in ("redis", "database", "worker"))
