"""One hostile input: what is sent, what is expected, and what is found wrong with what came of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

if TYPE_CHECKING:
    from benchmarks.hostile.studio import Studio

T = TypeVar("T")
Verdict = Literal["accepted", "refused", "broken"]
Expected = Literal["accepted", "refused", "either"]  # either: but in order, with a sentence where it is refused
HANG_S = 5.0  # of an input's own: what its program takes to start is no part of it
TRACEBACK = b"Traceback (most recent call last)"


@dataclass(frozen=True)
class Outcome:
    """What came back."""

    verdict: Verdict
    said: bytes  # everything that was printed or answered
    seconds: float
    status: int | None = None  # of HTTP
    rss_mb: float = 0.0  # of a program that has ended


@dataclass(frozen=True)
class Case:
    """One input. ``name`` tells it from the others of its kind."""

    name: str
    send: Callable[[Studio], Outcome]
    expected: Expected = "refused"
    drawn: bool = False  # by hypothesis, from the seed


@dataclass(frozen=True)
class Effects:
    """What was seen beside the outcome, from before the case until after it."""

    logged: bytes = b""  # by the dashboard and the workers
    outside: tuple[str, ...] = ()  # files outside the roots that were read or written
    left: tuple[str, ...] = ()  # what is in the database or the home and was not


@dataclass(frozen=True)
class Findings:
    """What is wrong; all false: nothing."""

    traceback: bool
    status_500: bool
    outside_roots: bool
    hang: bool
    left_behind: bool
    unexpected: bool

    @property
    def any(self) -> bool:
        """Whether anything is."""
        return any(vars(self).values())


def judge(case: Case, outcome: Outcome, effects: Effects) -> Findings:
    """Compare what came of a case with what may come of it."""
    return Findings(
        traceback=TRACEBACK in outcome.said or TRACEBACK in effects.logged,
        status_500=outcome.status is not None and outcome.status >= 500,
        outside_roots=bool(effects.outside),
        hang=outcome.seconds > HANG_S,
        left_behind=outcome.verdict != "accepted" and bool(effects.left),
        unexpected=outcome.verdict == "broken" or case.expected not in ("either", outcome.verdict),
    )


class _EnoughError(Exception):
    """There are as many as were asked for: hypothesis stops at what it takes for a failure."""


def drawn(strategy: SearchStrategy[T], n: int, *, of_seed: int) -> list[T]:
    """``n`` different values that hypothesis draws, the same ones for a seed; fewer where there are no more."""
    found: dict[str, T] = {}

    @seed(of_seed)
    @settings(
        max_examples=4 * n, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip
    @given(strategy)
    def keep(value: T) -> None:
        found.setdefault(repr(value), value)
        if len(found) >= n:
            raise _EnoughError

    with suppress(_EnoughError):
        keep()
    return list(found.values())
