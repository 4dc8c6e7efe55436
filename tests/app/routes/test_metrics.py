"""What Prometheus reads, and who may."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from app import access
from app.routes import monitoring
from slim_core.settings import Settings
from slim_core.store import Store
from slim_core.store.workers import Heartbeat

TOKEN = "long enough a token"


def read(client: TestClient) -> dict[str, list]:
    """Metric -> its samples."""
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain")
    return {family.name: family.samples for family in text_string_to_metric_families(answer.text)}


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "signs_in", lambda: True)


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
