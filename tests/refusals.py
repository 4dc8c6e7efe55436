"""What a refusal is held by: its class, and the values that its sentence names. Its words stand in tests/sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

E = TypeVar("E", bound=Exception)


@contextmanager
def refusal(kind: type[E], *values: object) -> Iterator[pytest.ExceptionInfo[E]]:
    """The block is refused so, in a sentence that names each of these values."""
    with pytest.raises(kind) as refused:
        yield refused
    assert not missing(str(refused.value), *values)


def missing(text: str, *values: object) -> list[str]:
    """Which of these values a text does not name."""
    return [value for value in map(str, values) if value not in " ".join(text.split())]
