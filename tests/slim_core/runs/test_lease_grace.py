"""When a run whose lease is over counts as lost: not while those who work may just have come back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from slim_core.runs import execute
from slim_core.runs.execute import LeaseGrace

LEASE_S = 30.0


class Looks:
    """Looks at a clock of the test's own, which goes on only between them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = 1000.0
        clock = SimpleNamespace(time=lambda: self._now, monotonic=lambda: self._now)
        monkeypatch.setattr(execute, "time", clock)
        self._grace = LeaseGrace(LEASE_S)

    def after(self, *pauses_s: float) -> list[bool]:
        """What each says, after a pause each."""
        found = []
        for pause_s in pauses_s:
            self._now += pause_s
            found.append(self._grace.is_active())
        return found


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


def test_after_a_sleep_or_an_outage_there_is_the_length_of_a_lease(looks: Looks) -> None:
    assert looks.after(1, 1, 40, *[1] * 29, 1, 1) == [False, False, *[True] * 30, False, False]


@pytest.mark.parametrize("between", [1, 15, 29])
def test_after_a_second_outage_that_follows_soon_there_is_a_lease_once_more(looks: Looks, between: int) -> None:
    assert looks.after(40, *[1] * between, 40, *[1] * 29) == [True] * (1 + between + 1 + 29)
    assert looks.after(1, 1) == [False, False]


@pytest.mark.parametrize("apart_s", [6.0, 20.0, 45.0])
def test_where_looks_are_always_far_apart_a_run_is_lost_at_some_time_all_the_same(looks: Looks, apart_s: float) -> None:
    assert looks.after(*[apart_s] * 40).count(False) > 2
