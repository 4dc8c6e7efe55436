"""The subset as the answers stand: what is told of each of its cells while people answer."""

from __future__ import annotations

from slim_core.annotation.live_effect import cells_of
from slim_core.curation import CurateOptions
from slim_core.curation.two_views import balance_twice
from tests.slim_core.curation.test_two_views import DATA, chosen


def test_of_a_cell_that_is_balanced_twice_the_distinct_images_are_known_before_they_are_chosen():
    subset = chosen()
    cells = cells_of(DATA, balance_twice(DATA, 400, 0, CurateOptions(environments="both")))
    for cell in cells:
        own = subset.cells == cell.name
        assert (cell.budget, cell.distinct) == (int(subset.counts[own].sum()), int(own.sum()))
    assert any(cell.distinct < min(cell.budget, cell.size) for cell in cells), "one is taken again, another not at all"
