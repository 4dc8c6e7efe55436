"""Filters and orders of the gallery."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from app.attention import view
from app.attention.view import ordered
from app.services.results import attention_scores

SCORES = pd.DataFrame(
    {
        "row": [0, 1, 2, 3],
        "group": ["a", "a", "b", "b"],
        "split": ["train", "test", "train", "test"],
        "correct": [True, False, True, False],
        "confidence": [0.9, 0.6, 0.6, 0.7],
        "attention_precision": [0.2, np.nan, 0.1, 0.4],
        "aiou": [np.nan] * 4,
    }
)


@pytest.mark.parametrize(
    ("group", "split", "outcome", "rows"),
    [
        ("all groups", "all splits", "all predictions", [0, 1, 2, 3]),
        ("b", "all splits", "all predictions", [2, 3]),
        ("a", "train", "all predictions", [0]),
        ("all groups", "all splits", "incorrect", [1, 3]),
        ("a", "train", "incorrect", []),
    ],
)
def test_filters_join(group: str, split: str, outcome: str, rows: list[int]) -> None:
    assert view.kept(SCORES, group, split, outcome)["row"].tolist() == rows


def test_a_group_whose_name_begins_with_all_is_a_filter_too() -> None:
    named = SCORES.assign(group=SCORES["group"].replace("b", "all terrain vehicle, sand"))
    kept = view.kept(named, "all terrain vehicle, sand", "all splits", "all predictions")
    assert kept["row"].tolist() == [2, 3]


def test_images_without_a_score_come_last_in_both_directions() -> None:
    lowest = ordered(SCORES, "lowest attention precision")["row"].tolist()
    highest = ordered(SCORES, "highest attention precision")["row"].tolist()
    assert (lowest, highest) == ([2, 0, 3, 1], [3, 0, 2, 1])


def test_equal_images_stay_in_the_order_of_their_rows() -> None:
    assert ordered(SCORES, "least confident")["row"].tolist() == [1, 2, 3, 0]


def test_an_order_without_numbers_is_not_offered() -> None:
    assert "lowest AIoU" not in attention_scores.orders(SCORES)
    assert "lowest attention precision" in attention_scores.orders(SCORES)


def test_scores_per_group_count_what_was_scored() -> None:
    table = attention_scores.per_group(SCORES).set_index("name")
    assert table.loc["a", ["n", "n_scored", "accuracy"]].tolist() == [2, 1, 0.5]
    assert table.at["b", "attention_precision"] == pytest.approx(0.25)
    assert np.isnan(table.at["a", "aiou"])
