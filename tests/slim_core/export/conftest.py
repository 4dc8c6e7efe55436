"""What is exported here is the newest run of its kind: no run that other tests have made may come before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slim_core.conftest import Looped, looped_copy


@pytest.fixture(scope="module")
def looped(demo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looped]:
    """A loop that no other test adds to."""
    yield from looped_copy(demo_folder, tmp_path_factory)
