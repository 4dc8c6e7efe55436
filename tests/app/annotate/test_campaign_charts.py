"""The charts of a campaign, as pictures of their input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from app.annotate import charts
from app.annotate.live_effect import live_map
from slim_core.evaluation.charts.layout import INK, RIGHT, UNKNOWN, WRONG


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def colours(picture: np.ndarray) -> set[tuple[int, ...]]:
    """The opaque colours of a picture."""
    return {tuple(pixel) for pixel in picture[picture[..., 3] > 0][:, :3].tolist()}


def test_the_map_is_dark_where_scores_are_low_and_grey_where_they_are_unknown():
    points = np.array([[0.0, 0.0], [10.0, 0.0], [5.0, 8.0]])
    nothing = np.zeros(3, bool)
    picture = live_map(points, np.array([0.0, 1.0, np.nan]), np.full(3, -1), nothing, 200, 160)
    assert picture.shape == (160, 200, 4) and picture.dtype == np.uint8
    left, right, top = picture[80:, :60], picture[80:, 140:], picture[:60]
    assert colours(left) == {rgb("#00224e"), rgb(INK)} and colours(right) == {rgb("#fee838"), rgb(INK)}
    assert colours(top) == {rgb(UNKNOWN), rgb(INK)}
    assert (picture[70:90, 90:110, 3] == 0).all()


@pytest.mark.parametrize("n", [50, 30_000])
def test_every_part_of_the_map_has_an_outline_that_shows_on_a_light_and_on_a_dark_page(n: int):
    points = np.repeat(np.random.default_rng(0).normal(size=(50, 2)), n // 50, axis=0)
    picture = live_map(points, np.linspace(0, 1, n), np.full(n, -1), np.zeros(n, bool))
    empty = picture[..., 3] == 0
    beside = np.zeros_like(empty)
    for axis in (0, 1):
        for step in (1, -1):
            beside |= np.roll(empty, step, axis)
    edge = beside & ~empty
    assert edge.any() and {tuple(pixel) for pixel in picture[edge][:, :3].tolist()} == {rgb(INK)}


def test_answered_images_lie_over_all_others():
    points = np.random.default_rng(0).normal(size=(500, 2))
    answers = np.full(500, -1)
    answers[:2] = [1, 0]
    asked = np.arange(500) < 2
    drawn = colours(live_map(points, np.full(500, 0.5), answers, asked))
    assert {rgb(RIGHT), rgb(WRONG)} <= drawn
    assert not {rgb(RIGHT), rgb(WRONG)} & colours(live_map(points, np.full(500, 0.5), answers, asked & False))


def test_a_map_of_one_place_or_of_a_hundred_thousand_images_is_drawn():
    one = live_map(np.ones((5, 2)), np.full(5, 0.2), np.full(5, -1), np.zeros(5, bool))
    assert (one[..., 3] > 0).any()
    many = np.random.default_rng(0).normal(size=(100_000, 2))
    picture = live_map(many, np.linspace(0, 1, 100_000), np.full(100_000, -1), np.zeros(100_000, bool))
    assert (picture[..., 3] > 0).sum() > 10_000


def test_candidates_are_drawn_by_class_over_all_images_thinned_out():
    points = pd.DataFrame(np.random.default_rng(0).normal(size=(50_000, 2)), columns=["x", "y"])
    chosen = points.head(6).assign(**{"class": ["cat", "dog"] * 3, "place": range(1, 7), "row": range(6)})
    figure = charts.candidates(points, chosen)
    assert [trace.name for trace in figure.data] == ["all images", "cat (3)", "dog (3)"]
    assert len(figure.data[0].x) <= charts.MOST_POINTS
    assert figure.data[1].customdata.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_the_convergence_curve_shows_points_of_a_score():
    figure = charts.convergence(pd.DataFrame({"n_answers": [1, 2], "change": [0.5, 0.01]}))
    assert list(figure.data[0].y) == [50, 1] and list(figure.data[0].x) == [1, 2]
