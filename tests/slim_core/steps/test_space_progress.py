"""How far a space says it is: one bar for all its parts, and the time left by the pace of UMAP's epochs."""

from __future__ import annotations

from typing import Any

import pytest

from slim_core.formatting import done_of
from slim_core.steps.space_progress import CLUSTERS, PLACED, SEARCH, SpaceProgress


class Bar:
    """What was reported, and a clock that is set by hand."""

    def __init__(self, n: int, fitted: int) -> None:
        self.now, self.said = 0.0, list[dict[str, Any]]()
        self.progress = SpaceProgress(self._report, n, fitted, clock=lambda: self.now)

    def _report(self, done: int, total: int, phase: str, **values: Any) -> None:
        self.said.append({"done": done, "total": total, "phase": phase, **values})

    def fit(self, at: int, search_s: float, epochs_s: float, until: int = 200) -> None:
        """A fit whose search and 200 epochs take so long, up to an epoch."""
        self.progress.begins(at)
        self.now += search_s
        for epoch in range(0, until + 1, 20):
            self.progress.epochs(at, epoch, 200)
            self.now += epochs_s / 10 if epoch < until else 0.0


def whole_space(bar: Bar, n: int, fitted: int) -> None:
    for at in range(2):
        bar.fit(at, search_s=5.0, epochs_s=20.0)
        for placed in range(fitted, n, 20_000):
            bar.progress.placed(at, placed, n)
    bar.progress.begins(2)
    bar.progress.ended()


@pytest.mark.parametrize("n", [300, 50_000, 120_000])
def test_the_bar_only_rises_and_is_full_once_all_is_done(n: int) -> None:
    bar = Bar(n, 50_000)
    whole_space(bar, n, 50_000)
    shares = [one["done"] for one in bar.said]
    assert shares == sorted(shares) and shares[0] == 0 and shares.count(100) == 1 and shares[-1] == 100
    begun = {one["phase"]: one["done"] for one in reversed(bar.said)}
    assert (begun["environment space"], begun["environment clusters"]) == (48, 96), "the clusters take a small part"


def test_the_time_left_is_known_from_the_epochs_however_long_the_search_before_them_took() -> None:
    for search_s in (1.0, 60.0):  # as where UMAP is compiled first
        bar = Bar(10_000, 50_000)
        bar.fit(0, search_s, epochs_s=17.0, until=100)
        assert [one["seconds_left"] for one in bar.said[:2]] == [None, None], "nothing was measured yet"
        fit_s = 17.0 / (1 - SEARCH)
        left = (2 * fit_s / (1 - CLUSTERS)) - fit_s * SEARCH - 8.5
        assert bar.said[-1]["seconds_left"] == pytest.approx(left, abs=0.1)


def test_epochs_before_the_first_that_is_heard_of_do_not_count_into_the_pace() -> None:
    """UMAP is heard about once a second, so its first epochs may have passed by then."""
    whole, late = Bar(10_000, 50_000), Bar(10_000, 50_000)
    for bar, first in ((whole, 0), (late, 60)):
        bar.progress.begins(0)
        for epoch in range(first, 101, 20):
            bar.now = epoch / 10
            bar.progress.epochs(0, epoch, 200)
    assert late.said[-1]["seconds_left"] == whole.said[-1]["seconds_left"] is not None


def test_the_time_left_is_known_while_the_second_space_looks_for_neighbours() -> None:
    bar = Bar(10_000, 50_000)
    bar.fit(0, 3.0, epochs_s=17.0)
    bar.progress.begins(1)
    assert bar.said[-1]["seconds_left"] == pytest.approx(20.0 + 40.0 * CLUSTERS / (1 - CLUSTERS), abs=0.1)
    bar.fit(1, 3.0, epochs_s=34.0)
    assert bar.said[-1]["seconds_left"] == pytest.approx(80.0 * CLUSTERS / (1 - CLUSTERS), abs=0.1), "by its own pace"


def test_images_that_are_placed_count_as_a_part_of_those_that_are_fitted() -> None:
    bar = Bar(90_000, 50_000)
    bar.fit(0, 3.0, epochs_s=17.0)
    before = bar.said[-1]["done"]
    bar.progress.placed(0, 70_000, 90_000)
    space = 50_000 + PLACED * 40_000
    assert (before, bar.said[-1]["done"]) == tuple(
        int(50 * (1 - CLUSTERS) * fitted / space) for fitted in (50_000, 50_000 + PLACED * 20_000)
    )
    assert bar.said[-1]["phase"] == "attention space: 70,000 of 90,000 images placed"


def test_it_is_said_in_percent() -> None:
    bar = Bar(10_000, 50_000)
    bar.fit(0, 3.0, epochs_s=17.0, until=100)
    assert done_of(bar.said[-1]) == "27\N{NO-BREAK SPACE}%"
    assert (bar.said[-1]["epoch"], bar.said[-1]["epochs"]) == (100, 200)
    assert done_of({"done": 1_300, "total": 2_600}) == "1,300 of 2,600"
