"""The table of what a run was asked for."""

from __future__ import annotations

from app.jobs.about import _within
from slim_core.training.last_layer import L2Options


def test_a_list_of_numbers_that_is_the_default_is_not_marked_as_changed() -> None:
    """A spec holds a list, and the class of the settings a tuple."""
    usual = list(L2Options().strengths)
    for given, field in ((usual, "strengths"), (usual[1:], "● strengths")):
        (row,) = _within({"strengths": given}, L2Options)
        assert row[0].text == field
