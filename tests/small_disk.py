"""A file system that is soon full, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from benchmarks.small_disk import small_disk


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[Path]:
    """One of this size at the folder, which only a privileged user can make: else the test is skipped."""
    with ExitStack() as stack:
        try:
            stack.enter_context(small_disk(folder, megabytes))
        except OSError as error:
            pytest.skip(f"no small disk can be made here: {error}")
        yield folder
