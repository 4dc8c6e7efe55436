"""The order in which the processes of a run begin with its tests."""

from __future__ import annotations

import pytest

from tests.shares import dealt, headed


def pieces(order: list[str], n: int) -> list[list[str]]:
    """As xdist deals them at first."""
    cut, left = [], list(order)
    for k in range(n, 0, -1):
        cut.append(left[: len(left) // k])
        left = left[len(left) // k :]
    return cut


@pytest.mark.parametrize("n_rest", [6, 7, 8, 40])
def test_each_piece_begins_with_its_head_and_none_is_lost(n_rest: int) -> None:
    heads, rest = [["b1", "b2", "b3"], ["w1"], ["w2", "w3"]], [f"r{k}" for k in range(n_rest)]
    order = headed(heads, rest)
    assert sorted(order) == sorted([*sum(heads, []), *rest])
    assert [one for one in order if one in rest] == rest
    for piece, head in zip(pieces(order, 3), heads, strict=True):
        assert piece[: len(head)] == head


def test_a_head_longer_than_its_piece_runs_over_and_none_is_lost() -> None:
    assert headed([["b1", "b2", "b3", "b4"], ["w1"]], ["r1"]) == ["b1", "b2", "b3", "b4", "w1", "r1"]
    assert headed([["b1"], []], []) == ["b1"]


def test_groups_stay_whole_and_even_out() -> None:
    assert dealt([["a1", "a2", "a3"], ["b1"], ["c1"], ["d1", "d2"]], 2) == [
        ["a1", "a2", "a3"],
        ["b1", "c1", "d1", "d2"],
    ]
    assert dealt([], 2) == [[], []]
