"""Inputs that hypothesis draws: the same ones for the same seed and version of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


class _EnoughError(Exception):
    """There are as many as were asked for: hypothesis stops at what it takes for a failure."""


def drawn(strategy: SearchStrategy[T], n: int, *, of_seed: int) -> list[T]:
    """``n`` different values; fewer where there are no more."""
    found: dict[str, T] = {}

    @seed(of_seed)
    @settings(
        max_examples=4 * n, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck), derandomize=False, report_multiple_bugs=False,
    )  # fmt: skip
    @given(strategy)
    def keep(value: T) -> None:
        found.setdefault(repr(value), value)
        if len(found) >= n:
            raise _EnoughError

    with suppress(_EnoughError):
        keep()
    return list(found.values())
