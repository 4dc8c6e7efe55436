"""The subset as the answers stand: what is told of each of its cells while people answer."""

from __future__ import annotations

from slim_core.annotation.live_effect import _cells_of
from tests.slim_core.curation.test_two_views import chosen


def test_of_a_cell_that_is_balanced_twice_the_distinct_images_are_known_beside_the_repeats():
    subset = chosen()
    cells = _cells_of(subset)
    for cell in cells:
        own = subset.cells == cell.name
        assert (cell.budget, cell.distinct) == (int(subset.counts[own].sum()), int(own.sum()))
    assert any(cell.distinct < min(cell.budget, cell.size) for cell in cells), "one is taken again, another not at all"
