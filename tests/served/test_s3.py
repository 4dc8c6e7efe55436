"""Train, gradcam and evaluate over artifacts on S3: workers share the database, Redis and S3, and no folder."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app import session
from app.routes.images import image_url
from benchmarks import processes
from benchmarks.page_session import PageSession
from benchmarks.served.topology import Topology
from slim_core.data.sets.digits import DemoConfig, write_demo
from tests.s3_server import BUCKET, names, needs_s3, s3_server
from tests.served.conftest import needs_postgres
from tests.served.team import SOON, URL, Team, trained, until

HOST = "127.0.0.1"

pytestmark = [
    needs_s3,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.kills_processes,
    needs_postgres,
]


@pytest.fixture
def team(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    write_demo(tmp_path / "images" / "demo", DemoConfig(train=64, val=16, test=16, size=32))
    with s3_server(monkeypatch) as gate, ExitStack() as stack:
        topology = Topology(tmp_path, database, stack, more=SOON)
        topology.start_redis()
        until(topology.redis_is_healthy, "Redis to be healthy")
        yield Team(topology, tmp_path, gate)


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
