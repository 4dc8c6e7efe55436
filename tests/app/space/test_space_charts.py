"""Colours of a space as pure functions."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

from app.space.colours import OTHER, LegendEntry, answers, categories, continuous
from slim_core.evaluation.charts.layout import RIGHT, UNKNOWN, UNSURE, WRONG


def test_each_category_has_its_colour_and_count_and_the_rest_is_grey() -> None:
    colouring = categories("Group", np.array([0, 1, 1, -1]), ["a", "b"], ["#111111", "#222222"])
    assert colouring.codes.tolist() == [0, 1, 1, 2]
    assert colouring.legend == (
        LegendEntry(0, "#111111", "a", 1),
        LegendEntry(1, "#222222", "b", 2),
        LegendEntry(2, UNKNOWN, "unknown", 1),
    )


def test_each_code_of_a_category_is_a_place_in_the_palette() -> None:
    colouring = categories("Group", np.array([0, 1, 2, -1]), ["a", "b", "c"])
    assert [colouring.palette[entry.code] for entry in colouring.legend] == [entry.colour for entry in colouring.legend]


NAMES_24 = [f"cluster {k}" for k in range(24)]
INDEX_24 = np.repeat(np.arange(24), np.arange(24) + 1)  # category k has k + 1 images


def test_beyond_twenty_categories_the_largest_keep_a_colour_and_the_rest_are_other() -> None:
    colouring = categories("Cluster", np.append(INDEX_24, -1), NAMES_24)
    assert [entry.name for entry in colouring.legend] == [*NAMES_24[5:], OTHER, "unknown"]
    assert [entry.n for entry in colouring.legend] == [*range(6, 25), 1 + 2 + 3 + 4 + 5, 1]
    assert len({entry.colour for entry in colouring.legend}) == len(colouring.legend), "no two are drawn alike"


def test_the_group_to_look_at_keeps_its_colour_however_rare_it_is() -> None:
    named = [entry.name for entry in categories("Group", INDEX_24, NAMES_24, always=0).legend]
    assert named == [NAMES_24[0], *NAMES_24[6:], OTHER]


def test_a_scale_runs_from_dark_to_light_without_a_step_back() -> None:
    palette = continuous("Score", np.array([0.0, 1.0])).palette[1:]
    light = [0.2126 * int(c[1:3], 16) + 0.7152 * int(c[3:5], 16) + 0.0722 * int(c[5:], 16) for c in palette]
    assert len(palette) == 255
    assert all(np.diff(light) > -1e-9)


def test_a_missing_number_is_unknown_and_not_low() -> None:
    colouring = continuous("Score", np.array([np.nan, 0.0, 1.0, 2.0]))
    assert colouring.codes.tolist() == [0, 1, 255, 255]
    assert colouring.legend == (LegendEntry(0, UNKNOWN, "unknown", 1),)
    assert (colouring.low, colouring.high) == (0.0, 1.0)


def test_answers_are_green_vermilion_and_orange_and_the_rest_was_not_asked() -> None:
    colouring = answers(np.array([1, 0, -1, -2, -2]))
    assert [(entry.colour, entry.name, entry.n) for entry in colouring.legend] == [
        (RIGHT, "attention right", 1),
        (WRONG, "attention wrong", 1),
        (UNSURE, "unsure", 1),
        (UNKNOWN, "not asked", 2),
    ]


def test_the_wire_carries_one_byte_a_point() -> None:
    wire = continuous("Score", np.linspace(0, 1, 1000)).wire()
    assert np.frombuffer(zlib.decompress(base64.b64decode(wire["codes"])), np.uint8).tolist() == pytest.approx(
        np.linspace(1, 255, 1000).round().tolist(), abs=1
    )
