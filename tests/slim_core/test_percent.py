"""Numbers in words."""

from __future__ import annotations

from slim_core.percent import counted, few, interval, percent


def test_a_rate_is_told_in_percent_and_the_unknown_by_a_dash() -> None:
    assert percent(0.9071) == "90.7\u00a0%" and percent(1, 0) == "100\u00a0%"
    assert percent(None) == percent(float("nan")) == "–"


def test_an_interval_has_two_bounds_or_is_a_dash() -> None:
    assert interval(0.881, 0.929) == "88.1 to 92.9"
    assert interval(-0.01, 0.02, "+.1f") == "-1.0 to +2.0"
    assert interval(float("nan"), float("nan")) == "–"


def test_one_of_a_thing_has_no_plural() -> None:
    assert (counted(1, "seed"), counted(2_000, "seed")) == ("1 seed", "2,000 seeds")


def test_of_many_names_the_first_few_are_told() -> None:
    assert few(["a", "b"]) == "a, b" and few(list("abcdef")) == "a, b, c, d, e ..."
