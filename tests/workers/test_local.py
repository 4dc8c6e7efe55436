"""What the dashboard starts beside itself."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from slim_core.settings import Settings
from workers.local import environment


def test_a_child_reads_the_settings_of_its_parent_and_not_those_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIM_WEBHOOK_URL", "https://elsewhere")
    monkeypatch.setenv("SLIM_ALLOWED_HOSTS", "elsewhere")
    passed = environment(Settings(metrics_token=SecretStr("a long secret"), webhook_url=None, allowed_hosts=()))
    assert "SLIM_WEBHOOK_URL" not in passed
    assert (passed["SLIM_METRICS_TOKEN"], passed["SLIM_ALLOWED_HOSTS"]) == ("a long secret", "")
    for name, value in passed.items():
        monkeypatch.setenv(name, value)
    assert Settings().allowed_hosts == ()
