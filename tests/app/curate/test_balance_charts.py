"""Subsets as charts."""

from __future__ import annotations

import pandas as pd
import pytest

from app.curate.view import cells_chart, group_balance
from slim_core.evaluation.charts.results import MOST
from tests.refusals import missing


def test_balance_compares_shares_so_that_a_small_subset_is_as_long_as_the_split() -> None:
    before, after = group_balance(pd.DataFrame({"name": ["a", "b"], "before": [90, 10], "after": [5, 5]})).data
    assert list(before.x) == pytest.approx([90, 10])
    assert list(after.x) == pytest.approx([50, 50])
    assert list(after.customdata) == [5, 5]


def test_images_of_no_known_group_are_no_group_more() -> None:
    names = [*(f"g{k}" for k in range(MOST + 1)), "unknown"]
    figure = group_balance(pd.DataFrame({"name": names, "before": range(1, MOST + 3), "after": 1}))
    assert f"the {MOST} of {MOST + 1} groups" in figure.layout.xaxis.title.text


def test_estimated_groups_without_images_are_neither_drawn_nor_counted() -> None:
    """Five classes in five environments: a class is in few of them."""
    names = [f"g{k}" for k in range(25)]
    figure = group_balance(pd.DataFrame({"name": names, "before": [10] * 3 + [0] * 22, "after": 1}))
    assert list(figure.data[0].y) == ["g0", "g1", "g2"]
    assert figure.layout.xaxis.title.text.endswith("<br>no images in 22 groups")


def test_groups_that_are_called_by_numbers_are_named_and_not_measured() -> None:
    frame = pd.DataFrame({"name": ["0, 0", "0, 1", "1, 0"], "before": [1, 2, 3], "after": 1})
    assert group_balance(frame).layout.yaxis.type == "category"


def test_an_empty_subset_is_nothing_rather_than_a_division_by_zero() -> None:
    _, after = group_balance(pd.DataFrame({"name": ["a"], "before": [1], "after": [0]})).data
    assert list(after.x) == [0]


def test_cells_tell_distinct_images_from_repeats() -> None:
    frame = pd.DataFrame({"cell": ["x"], "size": [30], "chosen": [20], "repeated": [5]})
    chosen, repeated = cells_chart(frame).data
    assert (list(chosen.x), list(repeated.x)) == ([20], [5])
    for bar in (chosen, repeated):
        assert bar.customdata.tolist() == [[20, 30, 5]]
        assert not missing(bar.hovertemplate, *(f"%{{customdata[{at}]}}" for at in range(3)))
