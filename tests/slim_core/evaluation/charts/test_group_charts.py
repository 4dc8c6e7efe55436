"""Group charts as pure functions."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from slim_core.evaluation.charts import results as charts
from slim_core.evaluation.charts.layout import INK, RUNS, VERMILION

METRICS = {
    "groups": [
        {"name": "0, sea", "n": 90, "correct": 81, "accuracy": 0.9, "low": 0.82, "high": 0.95},
        {"name": "1, sea", "n": 10, "correct": 4, "accuracy": 0.4, "low": 0.17, "high": 0.69},
        {"name": "1, land", "n": 0, "correct": 0, "accuracy": None, "low": None, "high": None},
    ],
}


def test_an_empty_group_has_no_accuracy_rather_than_zero() -> None:
    frame = charts.group_frame(METRICS)
    assert math.isnan(frame["accuracy"].iat[2])
    assert frame["worst"].tolist() == [False, True, False]


def test_an_estimated_group_without_images_has_no_row() -> None:
    assert charts.group_frame(METRICS | {"estimated_groups": True})["group"].tolist() == ["0, sea", "1, sea"]


def test_bars_show_percent_with_the_interval_and_mark_the_worst_group() -> None:
    figure = charts.group_bars(charts.group_frame(METRICS))
    assert figure.layout.xaxis.title.text == "accuracy, %<br>no images: 1, land"
    (bars,) = figure.data
    assert bars.x[0] == pytest.approx(90)
    assert bars.error_x.array[1] == pytest.approx(29)
    assert bars.error_x.arrayminus[1] == pytest.approx(23)
    assert [colour == VERMILION for colour in bars.marker.color] == [False, True]
    assert bars.y[1] == "1, sea (n = 10)"


@pytest.mark.parametrize("n_groups", [0, 1])
def test_where_no_group_has_images_the_axis_of_the_groups_does_not_count(n_groups: int) -> None:
    bars = charts.group_bars(charts.group_frame({"groups": METRICS["groups"][:n_groups]}))
    assert bars.layout.yaxis.showticklabels is (n_groups > 0)
    columns = ["run", "group", "accuracy", "low", "high", "n"]
    frame = pd.DataFrame([("before", "0, sea", 0.9, 0.8, 0.95, 90)][:n_groups], columns=columns)
    assert charts.group_intervals(frame).layout.yaxis.showticklabels is (n_groups > 0)


def test_groups_without_images_are_named_in_the_order_of_the_data() -> None:
    empty = {"n": 0, "correct": 0, "accuracy": None, "low": None, "high": None}
    metrics = {
        "groups": [METRICS["groups"][0], *({"name": name, **empty} for name in ("9, sea", "10, sea", "2, land"))]
    }
    figure = charts.group_bars(charts.group_frame(metrics))
    assert figure.layout.xaxis.title.text.endswith("<br>no images: 9, sea; 10, sea; 2, land")


def test_split_counts_keep_the_order_of_the_groups_and_fill_gaps_with_zero() -> None:
    groups = [
        {"split": "train", "group": 1, "name": "b", "n": 30}, {"split": "train", "group": 0, "name": "a", "n": 10},
        {"split": "test", "group": 1, "name": "b", "n": 5},
    ]  # fmt: skip
    frame = charts.split_frame(groups)
    assert frame.index.tolist() == ["b", "a"]
    assert frame.loc["a"].tolist() == [10, 0, 0]
    assert frame.loc["b"].tolist() == [30, 0, 5]


def test_images_of_no_known_group_are_a_last_row_so_that_shares_are_of_the_whole_split() -> None:
    found = [{"split": split, "name": name, "n": 30} for split in ("train", "val") for name in "ab"]
    frame = charts.split_frame(found, {"train": 80, "val": 60, "test": 0})
    assert frame.index.tolist() == ["a", "b", "unknown"] and frame.loc["unknown"].tolist() == [20, 0, 0]
    first, *_ = charts.split_shares(frame).data
    assert list(first.x) == [37.5, 50, 0]
    assert "unknown" not in charts.split_frame(found, {"train": 60, "val": 60}).index
    many = charts.split_frame([{"split": "train", "name": f"g{k}", "n": 3} for k in range(35)], {"train": 200})
    assert charts.split_shares(many).layout.xaxis.title.text.endswith("one of 35 groups")


def test_nine_groups_have_a_colour_each_in_a_legend_also_where_a_split_lacks_some() -> None:
    found = [{"split": split, "name": f"g{k}", "n": 0 if split == "val" and k % 2 else 5}
             for split in ("train", "val") for k in range(9)]  # fmt: skip
    figure = charts.split_shares(charts.split_frame(found))
    assert figure.layout.showlegend and len({strip.marker.color for strip in figure.data}) == 9


def test_shares_are_of_each_split_and_an_empty_split_is_not_divided_by_zero() -> None:
    frame = charts.split_frame([{"split": "train", "name": "a", "n": 1}, {"split": "train", "name": "b", "n": 3}])
    first, second = charts.split_shares(frame).data
    assert list(first.x) == [25, 0, 0]
    assert list(second.x) == [75, 0, 0]


def test_an_interval_of_a_dark_page_shows_on_the_bar_of_every_run() -> None:
    """Text of SLIM Studio's dark page on bars over its background, in contrast as WCAG defines it."""
    opacity = charts.group_bars(charts.group_frame(METRICS)).data[0].marker.opacity

    def luminance(colour: str, share: float = 1.0) -> float:
        over = zip(bytes.fromhex(colour[1:]), bytes.fromhex("14191F"), strict=True)
        parts = [(share * one + (1 - share) * behind) / 255 for one, behind in over]
        linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
        return float(np.dot((0.2126, 0.7152, 0.0722), linear))

    told = {one: (luminance("#E4E8EC") + 0.05) / (luminance(one, opacity) + 0.05) for one in (*RUNS, INK)}
    assert min(told.values()) > 2.4, told
