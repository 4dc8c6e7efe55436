"""Attention scores and propagated scores as pure functions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from slim_core.evaluation.charts import scores as charts
from slim_core.evaluation.charts.palette import colour_of


def test_group_scores_show_percent_and_how_many_images_were_scored() -> None:
    frame = pd.DataFrame(
        {
            "name": ["a", "b"],
            "n": [10, 20],
            "n_scored": [4, 0],
            "attention_precision": [0.5, np.nan],
            "aiou": [0.6, np.nan],
        }
    )
    precision, aiou = charts.group_scores(frame).data
    assert precision.x[0] == 50 and np.isnan(precision.x[1])
    assert aiou.x[0] == 60
    assert precision.customdata.tolist() == [[4, 10], [0, 20]]


def test_groups_whose_names_are_digits_are_no_numbers_on_the_axis() -> None:
    frame = pd.DataFrame({"name": ["7", "2020"], "n": 1, "n_scored": 1, "attention_precision": 0.5, "aiou": 0.5})
    assert charts.group_scores(frame).layout.yaxis.type == "category"


def test_the_histogram_counts_every_scored_image_once_and_leaves_out_the_others() -> None:
    frame = pd.DataFrame({"score": [0.0, 0.5, 1.0, np.nan], "class": ["a", "a", "b", "b"]})
    first, second = charts.score_histogram(frame).data
    assert (sum(first.y), sum(second.y)) == (2, 1)


def test_a_class_has_the_colour_of_its_place_among_the_classes() -> None:
    classes = pd.Categorical.from_codes([2, 1], ["waterbird", "landbird", "10"])
    first, second = charts.score_histogram(pd.DataFrame({"score": [0.1, 0.9], "class": classes})).data
    assert (first.name, second.name) == ("landbird", "10")
    assert (first.marker.color, second.marker.color) == (colour_of(1), colour_of(2))


def test_the_threshold_is_drawn_where_it_is() -> None:
    frame = pd.DataFrame({"score": [0.2], "class": ["a"]})
    (line,) = charts.score_histogram(frame, 0.62).layout.shapes
    assert (line.x0, line.x1) == (0.62, 0.62)
    assert not charts.score_histogram(frame).layout.shapes
