"""Shards over two hosts with addresses of their own, which share PostgreSQL, a Redis with a password, and S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.postgres import Cluster
from benchmarks.served.topology import Topology
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.store import Run
from tests.s3_server import needs_s3, s3_server
from tests.served.conftest import needs_postgres
from tests.served.hosts import hosts, needs_hosts
from tests.served.team import SOON, Team, trained, until

pytestmark = [
    needs_s3,
    needs_hosts,
    needs_postgres,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.kills_processes,
]
PER_SHARD = 300


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    write_demo(tmp_path / "images" / "demo", DemoConfig(train=1400, val=60, test=60, size=32))
    with Cluster("slim", "secret", database="slim") as cluster, s3_server(monkeypatch) as gate, ExitStack() as stack:
        topology = Topology(tmp_path, cluster.url("slim"), stack, more=SOON)
        topology.start_redis()
        until(topology.redis_is_healthy, "Redis to be healthy")
        both = stack.enter_context(hosts("one", "two", ports=(cluster.port, topology.redis_port, gate.port)))
        made = Team(topology, tmp_path, gate, both)
        made.store.runs.shard_images = PER_SHARD
        yield made


def maps_of(team: Team, model: Run, **options: bool) -> Run:
    return team.submit(kind="gradcam", dataset=model.dataset_id, model=model.id, batch_size=8, **options)


def contents(team: Team, run: Run) -> dict[str, bytes]:
    folder = team.store.artifacts.folder(run.id)
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".npy", ".parquet")}


def shards_at(team: Team, host: str, maps: Run, status: str) -> list[Run]:
    """Shards that a worker of the host took last."""
    named = f"{team.hosts[host].name}-"
    return [
        one for one in team.store.runs.shards(maps.id) if one.status == status and (one.worker or "").startswith(named)
    ]


def test_a_host_that_is_cut_off_loses_its_shard_to_the_other_and_comes_back(team: Team) -> None:
    for host in team.hosts:
        team.worker(host)
    model = team.done(trained(team, epochs=1, image_size=160))
    maps = maps_of(team, model)
    assert len(team.store.runs.shards(maps.id)) > 2
    until(lambda: shards_at(team, "two", maps, "running"), "the second host to take a shard")
    team.hosts["two"].cut()
    (lost,) = shards_at(team, "two", maps, "running")
    whole = team.done(maps)
    shards = {one.id: one for one in team.store.runs.shards(maps.id)}
    assert (shards[lost.id].attempt, shards[lost.id].losses) == (2, 1)
    assert shards_at(team, "one", maps, "done"), "among them the one that was lost"
    team.hosts["two"].join()

    again = maps_of(team, model, force=True)
    until(lambda: shards_at(team, "two", again, "done"), "the second host to do a shard again")
    once = team.done(maps_of(team, model, force=True, sharded=False))
    assert contents(team, team.done(again)) == contents(team, whole) == contents(team, once)
