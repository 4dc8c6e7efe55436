"""Attention scores and propagated scores as pure functions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from slim_core.evaluation.charts import results as charts
from slim_core.evaluation.charts.layout import colour_of


def test_group_scores_show_percent_and_how_many_images_were_scored() -> None:
    frame = pd.DataFrame(
        {
            "name": ["a", "b"],
            "n": [10, 20],
            "n_scored": [4, 5],
            "attention_precision": [0.5, 0.7],
            "aiou": [0.6, 0.8],
        }
    )
    precision, aiou = charts.group_scores(frame).data
    assert (list(precision.x), list(aiou.x)) == ([50, 70], [60, 80])
    assert precision.customdata.tolist() == [[4, 10], [5, 20]]


def test_group_scores_have_no_line_that_nothing_explains() -> None:
    frame = pd.DataFrame({"name": ["a"], "n": 1, "n_scored": 1, "attention_precision": 0.5, "aiou": 0.5})
    assert not charts.group_scores(frame).layout.shapes


def test_groups_without_a_scored_image_take_no_room_and_are_not_among_the_lowest() -> None:
    """As where some images are drawn on: 20 groups, of which 3 have a drawing."""
    frame = pd.DataFrame({"name": [f"g{k}" for k in range(20)], "n": 9, "n_scored": 0})
    frame = frame.assign(attention_precision=np.nan, aiou=np.nan)
    frame.loc[[4, 9, 19], ["n_scored", "attention_precision", "aiou"]] = [5, 0.5, 0.5]
    figure = charts.group_scores(frame)
    assert list(figure.data[0].y) == ["g4", "g9", "g19"]
    assert figure.layout.xaxis.title.text.endswith("images in 17 groups")


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


def test_above_the_highest_bar_there_is_room_for_what_stands_beside_the_threshold() -> None:
    """Where the threshold lies in the peak, its label lay on the bars."""
    frame = pd.DataFrame({"score": [0.61] * 30 + [0.2], "class": ["a", "b", "c"] * 10 + ["a"]})
    assert charts.score_histogram(frame, 0.6).layout.yaxis.range[1] >= 1.1 * 30, "three classes are stacked"
