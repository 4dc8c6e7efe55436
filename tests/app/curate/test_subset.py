"""Cells of a subset as people read them."""

from __future__ import annotations

import numpy as np
import pytest

from app.curate.view import _line, balance_frame, left_out
from slim_core.curation import Subset
from slim_core.data.groups import UNGROUPED, Grouping


def test_a_cell_that_gives_nothing_is_named_where_no_other_class_is_in_its_environment() -> None:
    cells = [("cat, 1", "1", 4), ("dog, 1", "1", 4), ("cat, 2", "2", 0), ("cat, 3", "3", 0), ("dog, 3", "3", 0)]
    listed = [{"cell": cell, "environment": environment, "budget": n} for cell, environment, n in cells]
    assert left_out(listed) == ["cat, 2"]
    assert left_out([{"cell": "all", "budget": 0}]) == []


@pytest.mark.parametrize(
    ("report", "line"),
    [
        ({"clusters": {"images_wrong": 2}}, (0.7, "right")),  # the highest scores are taken to be right
        ({"clusters": {"images_wrong": 4}}, (None, "right")),
        ({"clusters": {}, "keep": {"rule": "threshold"}}, (0.5, "kept")),
        ({"clusters": {}, "keep": {"rule": "quantile"}}, (None, "kept")),  # another one in each class
        ({}, (None, "kept")),
    ],
)
def test_a_line_parts_the_scores_where_the_subset_does(report, line) -> None:
    scores, nothing = np.array([0.9, 0.1, 0.7, 0.2]), np.empty(0, np.int64)
    assert _line(Subset(nothing, nothing, nothing, scores, report | {"options": {"threshold": 0.5}})) == line


def test_the_balance_of_groups_counts_the_images_of_no_known_group_too() -> None:
    groups = Grouping(np.array([0, 0, 1, UNGROUPED, UNGROUPED]), ("a", "b"))
    found = balance_frame(groups, np.array([0, 2, 3]), np.array([1, 3, 2]))
    assert found.to_dict("list") == {"name": ["a", "b", "unknown"], "before": [2, 1, 2], "after": [1, 3, 2]}
    known = balance_frame(groups.take(np.arange(3)), np.array([0]), np.array([1]))
    assert known["name"].tolist() == ["a", "b"] and known["after"].tolist() == [1, 0]
