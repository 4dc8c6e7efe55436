"""Runs side by side as charts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from app.charts import compare as charts

GROUPS = pd.DataFrame(
    {
        "run": ["erm", "erm", "slim", "slim"],
        "group": ["land", "sea", "land", "sea"],
        "accuracy": [0.9, 0.5, 0.92, np.nan],
        "low": [0.85, 0.4, 0.88, np.nan],
        "high": [0.93, 0.6, 0.95, np.nan],
        "n": [100, 50, 100, 0],
    }
)


def test_every_run_has_a_bar_a_group_with_its_own_interval_and_n() -> None:
    erm, slim = charts.group_intervals(GROUPS).data
    assert list(erm.y) == pytest.approx([90, 50])
    assert list(erm.error_y.array) == pytest.approx([3, 10])
    assert list(erm.error_y.arrayminus) == pytest.approx([5, 10])
    assert list(erm.x) == ["land<br>n = 100", "sea<br>n = 50"]
    assert erm.marker.color != slim.marker.color


def test_an_empty_group_has_no_bar_rather_than_a_zero() -> None:
    _, slim = charts.group_intervals(GROUPS).data
    assert np.isnan(slim.y[1])


def test_measures_differ_by_shape_since_colour_means_the_run() -> None:
    frame = pd.DataFrame({"run": ["erm", "erm"], "measure": ["worst group", "average"], "value": [0.6, 0.9]})
    worst, average = charts.headline(frame).data
    assert worst.marker.symbol != average.marker.symbol
    assert worst.marker.color == average.marker.color
    assert list(worst.x) == [60]


def test_attention_is_set_side_by_side_in_percent() -> None:
    frame = pd.DataFrame({"run": ["erm", "slim"], "measure": ["AIoU", "AIoU"], "value": [0.4, 0.7]})
    erm, slim = charts.attention_change(frame).data
    assert (list(erm.y), list(slim.y)) == ([40], [70])
