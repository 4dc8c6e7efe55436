"""Numbers in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from slim_core.formatting import counted, first_few, in_percent, interval, loss_in_words, percent, points, rounded

ROOT = Path(__file__).parents[2]
BY_ITSELF = re.compile(r"\{100 \*[^{}]*:[^{}]*f\}|:[^{}]*\.\d%\}")  # {100 * rate:.1f}, {rate:.1%}


def test_a_rate_is_told_in_percent_and_the_unknown_by_a_dash() -> None:
    assert percent(0.9071) == "90.7\u00a0%" and percent(1, 0) == "100\u00a0%"
    assert percent(None) == percent(float("nan")) == "–"


def test_an_interval_has_two_bounds_or_is_a_dash() -> None:
    assert interval(0.881, 0.929) == "88.1 to 92.9"
    assert interval(-0.01, 0.02, "+") == "-1.0 to +2.0"
    assert interval(float("nan"), float("nan")) == "–"


def test_one_of_a_thing_has_no_plural() -> None:
    assert (counted(1, "seed"), counted(2_000, "seed")) == ("1 seed", "2,000 seeds")


def test_of_many_names_the_first_few_are_told() -> None:
    assert first_few(["a", "b"]) == "a, b" and first_few(list("abcdef")) == "a, b, c, d, e ..."


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (87.25, 1, "87.3"),  # ties, which a float holds exactly
        (87.75, 1, "87.8"),
        (62.5, 0, "63"),
        (-2.25, 1, "-2.3"),
        (100 * 0.0055, 1, "0.5"),  # 0.5499999999999999: below the tie
        (-0.0, 1, "0.0"),
        (float("inf"), 1, "Infinity"),
    ],
)
def test_a_number_is_rounded_as_a_browser_rounds_it(value: float, digits: int, shown: str) -> None:
    assert rounded(value, digits) == shown  # (87.25).toFixed(1) and so on


def test_a_tie_goes_away_from_zero_in_every_form() -> None:
    assert percent(0.8725) == "87.3\u00a0%" and in_percent(0.8725) == "87.3"
    assert (points(0.0225), points(-0.0225), points(float("nan"))) == ("+2.3", "-2.3", "–")
    assert interval(0.8725, 0.8775) == "87.3 to 87.8"


def test_a_loss_that_diverges_is_told_by_its_size_and_not_by_fifteen_digits() -> None:
    assert (loss_in_words(0.7464, 3), loss_in_words(0.7464, 4)) == ("0.746", "0.7464")
    assert loss_in_words(685718148746297.375, 3) == loss_in_words(685718148746297.375, 4) == "6.86e+14"


def test_no_file_rounds_a_rate_by_itself() -> None:
    files = [path for folder in ("app", "slim_core", "workers") for path in (ROOT / folder).rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in files
        for line in path.read_text().splitlines()
        if BY_ITSELF.search(line) and "style=" not in line  # a length in CSS
    ]
    assert files and not found
