"""What tests of the command line share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from slim_core.settings import settings


@pytest.fixture
def home(new_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A SLIM_HOME of the test's own, which commands find as they would, in an empty working directory."""
    monkeypatch.setenv("SLIM_HOME", str(new_home))
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield new_home
    settings.cache_clear()


@pytest.fixture
def looped_home(looped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the home of the finished loop, which commands find as they would: no other test sees what they add."""
    copy = Path(shutil.copytree(looped.at.store.settings.home, tmp_path / "home"))
    monkeypatch.setenv("SLIM_HOME", str(copy))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    yield copy
    settings.cache_clear()
