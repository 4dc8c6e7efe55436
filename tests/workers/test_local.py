"""What the dashboard starts beside itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from slim_core.settings import Settings
from slim_core.store import Store
from tests.workers.worker_bench import until
from workers import local
from workers.local import EmbeddedServices, environment
from workers.queue import Queue


def test_a_child_reads_the_settings_of_its_parent_and_not_those_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIM_WEBHOOK_URL", "https://elsewhere")
    monkeypatch.setenv("SLIM_PUBLIC_URL", "http://elsewhere")
    passed = environment(Settings(metrics_token=SecretStr("a long secret"), webhook_url=None, public_url=()))
    assert "SLIM_WEBHOOK_URL" not in passed
    assert (passed["SLIM_METRICS_TOKEN"], passed["SLIM_PUBLIC_URL"]) == ("a long secret", "")
    for name, value in passed.items():
        monkeypatch.setenv(name, value)
    assert Settings().public_url == ()


def test_a_service_that_could_not_be_started_is_started_once_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(local, "_LONGEST_PAUSE_S", 0.05)
    in_the_way = tmp_path / "home" / "workers.log"
    in_the_way.mkdir(parents=True)
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    services = EmbeddedServices(Settings(home=tmp_path / "home"), command)
    services.start(wait=False)
    assert "cannot be started" in caplog.text and services.pid is None
    in_the_way.rmdir()
    until(lambda: services.pid, "the service to be started")
    services.stop()


@pytest.mark.redis
@pytest.mark.slow
def test_a_run_that_is_queued_while_the_queue_starts_waits_for_it(tmp_path: Path) -> None:
    """As one of somebody who presses as soon as the dashboard shows a page, also where it was started before."""
    settings = Settings(home=tmp_path / "home")
    slowly = ("sh", "-c", 'sleep 1; exec "$@"', "sh", *local.SERVICE)
    store = Store.open(settings)
    for _ in range(2):
        services, queue = EmbeddedServices(settings, slowly), Queue(settings, store)
        services.start(wait=False)
        assert "still starting" in (queue.silence() or "")
        assert queue.jobs(["light"]) == {"light": 0}  # which an absent Redis refuses
        assert queue.silence() is None
        services.stop()
        until(queue.silence, "the queue to be gone")
    store.close()
