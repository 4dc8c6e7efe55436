"""Whether the server can serve, and its metrics."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from app import session
from app.routes import monitoring
from slim_core.settings import Settings
from slim_core.store import Store
from slim_core.store.workers import Heartbeat


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "_latest", monitoring._Latest())


def ask(client: TestClient) -> tuple[int, dict[str, object]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()


@pytest.mark.usefixtures("empty_home")
def test_a_server_without_a_queue_is_ready_and_says_so(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert ask(client) == (200, {"ready": True, "database": "ok", "redis": "unavailable", "disk": "ok"})


@pytest.mark.redis
def test_a_server_with_all_it_needs_says_so(client: TestClient, empty_home: Path) -> None:
    from workers.local import RedisHome

    empty_home.mkdir(parents=True, exist_ok=True)
    redis = RedisHome(empty_home)
    assert redis.acquire()
    redis.ensure()
    try:
        assert ask(client) == (200, {"ready": True, "database": "ok", "redis": "ok", "disk": "ok"})
    finally:
        redis.stop()


def test_a_database_that_cannot_be_read_makes_it_unready_without_saying_where(
    client: TestClient, empty_home: Path
) -> None:
    empty_home.mkdir(parents=True, exist_ok=True)
    (empty_home / "slim.db").write_bytes(b"no database, but 100 bytes of text" * 3)
    status, told = ask(client)
    assert status == 503 and told["ready"] is False and told["database"] == "unavailable"
    assert str(empty_home) not in str(told)
    assert client.get("/healthz").status_code == 200


def reports(monkeypatch: pytest.MonkeyPatch, *, free: int, size: int) -> None:
    """Let every disk report these megabytes."""
    figures = SimpleNamespace(f_frsize=2**20, f_blocks=size, f_bfree=free, f_bavail=free)
    monkeypatch.setattr(os, "statvfs", lambda _home: figures)


@pytest.mark.usefixtures("empty_home")
def test_a_full_disk_makes_it_unready(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    session.store()
    reports(monkeypatch, free=100, size=1000)
    assert ask(client) == (503, {"ready": False, "database": "ok", "redis": "unavailable", "disk": "full"})


@pytest.mark.usefixtures("empty_home")
@pytest.mark.parametrize("free", [0, 300], ids=["no size", "more free than there is"])
def test_a_disk_whose_figures_say_nothing_is_ready_while_it_takes_a_file(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    session.store()
    reports(monkeypatch, free=free, size=0)
    assert ask(client) == (200, {"ready": True, "database": "ok", "redis": "unavailable", "disk": "ok"})
    assert "slim_disk_free_bytes" not in client.get("/metrics").text, "no alarm by a figure that is none"


@pytest.mark.usefixtures("empty_home")
def test_who_asks_a_hundred_times_a_second_costs_one_look(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(monitoring, "_database", lambda: looks.append(1) or "ok")
    monkeypatch.setattr(monitoring.time, "monotonic", lambda: 1_000.0)
    for _ in range(100):
        assert client.get("/readyz").status_code == 200
    assert len(looks) == 1


@pytest.mark.usefixtures("empty_home")
def test_while_one_look_waits_for_redis_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, waits, goes_on = list[int](), Event(), Event()

    def slow() -> str:
        looks.append(1)
        waits.set()
        assert goes_on.wait(60)
        return "unavailable"

    monkeypatch.setattr(monitoring, "_redis", lambda: "ok")
    assert monitoring._latest.found()["redis"] == "ok"
    monkeypatch.setattr(monitoring, "_redis", slow)
    monkeypatch.setattr(monitoring, "ASKED_AGAIN_S", 1e-6)
    with ThreadPoolExecutor(1) as other:
        looking = other.submit(monitoring._latest.found)
        assert waits.wait(60)
        assert [monitoring._latest.found()["redis"] for _ in range(40)] == ["ok"] * 40
        goes_on.set()
        assert looking.result()["redis"] == "unavailable" and looks == [1]


TOKEN = "long enough a token"


def read(client: TestClient) -> dict[str, list]:
    """Metric -> its samples."""
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain")
    return {family.name: family.samples for family in text_string_to_metric_families(answer.text)}


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "signs_in", lambda: True)


def test_it_tells_runs_workers_answers_and_the_disk(client: TestClient, filled_home) -> None:
    with_runs = Store.open(Settings(home=filled_home))
    with_runs.workers.beat(Heartbeat("w-1", host="alpha", pid=1, device="cpu", queues=["cpu"], version=""))
    with_runs.close()
    found = read(client)
    by_status = {sample.labels["status"]: sample.value for sample in found["slim_runs"]}
    assert by_status["done"] > 0
    (silent,) = found["slim_worker_silent_seconds"]
    assert (silent.labels["worker"], silent.labels["host"]) == ("w-1", "alpha") and silent.value < 60
    assert found["slim_answers"][0].value > 0
    assert found["slim_disk_free_bytes"][0].value > 0 and found["slim_database_up"][0].value == 1
    assert found["process_resident_memory_bytes"][0].value > 0


def test_without_a_database_it_says_so_and_tells_the_rest(client: TestClient, empty_home) -> None:
    empty_home.mkdir(parents=True, exist_ok=True)
    (empty_home / "slim.db").write_bytes(b"no database, but 100 bytes of text" * 3)
    found = read(client)
    assert found["slim_database_up"][0].value == 0 and "slim_runs" not in found
    assert found["slim_disk_free_bytes"][0].value > 0


@pytest.mark.usefixtures("empty_home", "signed_in")
def test_where_people_sign_in_it_is_there_for_its_token_alone(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/metrics").status_code == 404
    monkeypatch.setenv("SLIM_METRICS_TOKEN", TOKEN)
    monitoring.settings.cache_clear()
    refused = client.get("/metrics", headers={"Authorization": "Bearer another"})
    assert refused.status_code == 401 and TOKEN not in refused.text
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    monitoring.settings.cache_clear()


@pytest.mark.usefixtures("empty_home")
def test_each_request_to_a_route_is_timed_also_one_that_is_refused(client: TestClient) -> None:
    def count(route: str) -> float:
        samples = read(client)["slim_route_seconds"]
        named = [one for one in samples if one.labels.get("route") == route and one.name.endswith("_count")]
        return sum(one.value for one in named)

    before = count("annotate.answers"), count("images.image")
    client.post("/api/answers", json={})
    client.get("/api/image/d-x/1")
    client.get("/api/image/d-x/2")
    assert (count("annotate.answers"), count("images.image")) == (before[0] + 1, before[1] + 2)
