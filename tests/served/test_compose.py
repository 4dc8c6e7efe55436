"""The topology of compose.yaml as real processes (benchmarks.served.topology) on a database of the tests' PostgreSQL.

Leases are short, so that a loss is noticed soon.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks import processes
from benchmarks.served.topology import Topology
from slim_core.data.importing import import_data
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.steps.specs import parse_spec
from slim_core.store import Store
from tests.served.conftest import POSTGRES, needs_postgres, new_test_database
from workers.queue import Queue

PATIENCE_S = 180.0
EPOCHS = 80  # seconds of training, so that a worker can be killed in the middle
SOON = {"SLIM_LEASE_S": "4", "OMP_NUM_THREADS": "1"}

pytestmark = [
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.kills_processes,
    needs_postgres,
]


def until(condition: Callable[[], object], what: str) -> None:
    processes.until(condition, what, PATIENCE_S)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    """Redis with its password; the rest is started by the test."""
    folder = tmp_path_factory.mktemp("team")
    write_demo(folder / "images" / "demo", DemoConfig(train=32, val=8, test=8, size=16))
    with new_test_database() as database, ExitStack() as stack:
        made = Topology(folder, database, stack, more=SOON)
        made.start_redis()
        until(made.redis_is_healthy, "Redis to be healthy")
        yield made


def test_a_run_of_a_worker_that_is_killed_is_finished_by_the_other_one(team: Topology) -> None:
    assert not team.redis_is_healthy(REDISCLI_AUTH="wrong"), "the password is needed"
    team.start_app()
    address = {"STREAMLIT_SERVER_PORT": str(team.port)}
    until(lambda: listens(team.port), "the app to listen")
    until(lambda: team.is_healthy("app", **address), "the app, which migrates the database, to be healthy")
    workers = {name: team.start("worker", "--queues", "gpu", name=name) for name in ("first", "second")}
    store = Store.open(team.settings())
    team.stack.callback(store.close)
    until(lambda: len(store.workers.alive()) == 2, "two workers")

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


def listens(port: int) -> bool:
    """Whether somebody does; asking costs less than the check of compose, which starts a Python."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def is_child(pid: int, parent: int) -> bool:
    return f"PPid:\t{parent}\n" in Path(f"/proc/{pid}/status").read_text()


def test_the_database_is_reached_as_the_check_of_compose_does(team: Topology) -> None:
    at = urlsplit(POSTGRES or "")
    host = dict(part.split("=") for part in at.query.split("&") if part).get("host", at.hostname or "")
    assert team.is_healthy("database", PGHOST=host, PGPORT=str(at.port or 5432))
    assert not team.is_healthy("database", PGHOST=str(team.folder))


def test_every_service_is_restarted_and_no_database_is_published(team: Topology) -> None:
    for name, service in team.services.items():
        assert service["restart"] == "unless-stopped", name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert not any("ports" in team.services[name] for name in ("redis", "database", "worker"))
