"""Counts of a selection against the whole."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from app.space.colours import ShownSpace
from app.space.selected import _grouping, as_html, count_by
from slim_core.data.groups import Grouping


@pytest.fixture
def data() -> SimpleNamespace:
    """Ten images: six of group a (label 0), three of b (label 1), one of no known group."""
    labels = np.array([0] * 6 + [1] * 4)
    predictions = np.array([0, 0, 0, 0, 0, 1, 1, 1, 0, 0])
    return SimpleNamespace(
        __len__=lambda: 10,
        labels=labels,
        predictions=predictions,
        correct=predictions == labels,
        groups=Grouping(np.array([0] * 6 + [1] * 3 + [-1]), ("a", "b")),
        table=SimpleNamespace(label_names=("cat", "dog")),
    )


class Ten(SimpleNamespace):
    def __len__(self) -> int:
        return 10


def test_shares_are_of_the_selection_of_all_and_of_the_name(data) -> None:
    table = count_by(Ten(**vars(data)), np.array([4, 5, 6, 9]), data.groups)
    assert table["name"].tolist() == ["a", "b", "unknown"]
    assert table["n"].tolist() == [2, 1, 1]
    assert table["of_selection"].tolist() == [0.5, 0.25, 0.25]
    assert table["of_all"].tolist() == [0.6, 0.3, 0.1]
    assert table["of_name"].tolist() == pytest.approx([2 / 6, 1 / 3, 1])
    assert table["accuracy"].tolist() == [0.5, 1.0, 0.0]


@pytest.mark.parametrize(
    ("by", "names", "n"), [("label", ["cat", "dog"], [6, 4]), ("prediction", ["cat", "dog"], [7, 3])]
)
def test_where_nothing_is_selected_all_images_are_counted(data, by: str, names: list[str], n: list[int]) -> None:
    grouping = _grouping(ShownSpace(data), by)
    table = count_by(Ten(**vars(data)), np.empty(0, np.int64), grouping)
    assert (table["name"].tolist(), table["n"].tolist()) == (names, n)
    assert table["of_selection"].tolist() == table["of_all"].tolist()


def test_names_are_text_and_never_markup(data) -> None:
    table = count_by(Ten(**vars(data)), np.array([0]), Grouping(data.groups.index, ("<script>", "b")))
    shown = as_html(table, "group", 1, 10)
    assert "<script>" not in shown and "&lt;script&gt;" in shown
