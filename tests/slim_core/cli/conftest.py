"""What tests of the command line begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slim_core.settings import settings
from slim_core.store import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store of a SLIM_HOME that commands find as they would."""
    monkeypatch.setenv("SLIM_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    opened = Store.open()
    yield opened
    opened.close()
    settings.cache_clear()
