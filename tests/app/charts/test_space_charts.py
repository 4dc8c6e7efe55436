"""Colours of a space as pure functions."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from app.charts import space as charts
from app.charts.palette import RIGHT, UNKNOWN, UNSURE, WRONG
from app.charts.space import LegendEntry


def test_each_category_has_its_colour_and_count_and_the_rest_is_grey() -> None:
    colouring = charts.categories("Group", np.array([0, 1, 1, -1]), ["a", "b"], ["#111111", "#222222"])
    assert colouring.codes.tolist() == [0, 1, 1, 2]
    assert colouring.legend == (
        LegendEntry(0, "#111111", "a", 1),
        LegendEntry(1, "#222222", "b", 2),
        LegendEntry(2, UNKNOWN, "unknown", 1),
    )


def test_the_colour_scale_of_categories_puts_each_code_inside_its_own_step() -> None:
    colouring = charts.categories("Group", np.array([0, 1, 2]), ["a", "b", "c"])
    for code, entry in enumerate(colouring.legend):
        at = (code + 0.5) / colouring.levels  # cmin -0.5, cmax levels - 0.5
        stops = [position for position, colour in colouring.scale if colour == entry.colour]
        assert min(stops) < at < max(stops)


def test_more_categories_than_colours_start_the_palette_again() -> None:
    colouring = charts.categories("Cluster", np.arange(20), [str(k) for k in range(20)])
    assert len(colouring.legend) == 20
    assert colouring.legend[0].colour == colouring.legend[8].colour


def test_a_missing_number_is_unknown_and_not_low() -> None:
    colouring = charts.continuous("Score", np.array([np.nan, 0.0, 1.0, 2.0]))
    assert colouring.codes.tolist() == [0, 1, 255, 255]
    assert colouring.legend == (LegendEntry(0, UNKNOWN, "unknown", 1),)
    assert (colouring.low, colouring.high) == (0.0, 1.0)


def test_answers_are_green_vermilion_and_orange_and_the_rest_was_not_asked() -> None:
    colouring = charts.answers(np.array([1, 0, -1, -2, -2]))
    assert [(entry.colour, entry.name, entry.n) for entry in colouring.legend] == [
        (RIGHT, "attention right", 1),
        (WRONG, "attention wrong", 1),
        (UNSURE, "unsure", 1),
        (UNKNOWN, "not asked", 2),
    ]


def test_the_wire_carries_one_byte_a_point() -> None:
    wire = charts.continuous("Score", np.linspace(0, 1, 1000)).wire()
    assert np.frombuffer(base64.b64decode(wire["codes"]), np.uint8).tolist() == pytest.approx(
        np.linspace(1, 255, 1000).round().tolist(), abs=1
    )
