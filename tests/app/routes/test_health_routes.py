"""What a proxy or a container's health check is told."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from app import session
from app.routes import monitoring


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
    from workers.redis_home import RedisHome

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
