"""The charts of a study."""

from __future__ import annotations

import pandas as pd

from slim_core.evaluation.charts.study import against

ERM, SLIM = "ERM, as many epochs as the recipe says", "SLIM without answers"


def drawn(seconds: list[float], wga: list[float]) -> dict[str, tuple[str, str]]:
    """Method -> the name beside its mark, and where; of ERM, SLIM and as many more as there are numbers."""
    names = [ERM, SLIM, *(f"method {k}" for k in range(len(wga) - 2))]
    frame = pd.DataFrame({"name": names, "labels_used": "none", "wga_mean": wga, "seconds": seconds})
    (trace,) = against(frame, "seconds", "seconds of computing").data
    return dict(zip(trace.customdata, zip(trace.text, trace.textposition, strict=True), strict=True))


def test_of_two_names_that_would_lie_on_each_other_one_goes_below_its_mark() -> None:
    found = drawn([3.1, 10.2, 36.0], [0.022, 0.0222, 0.035])
    assert found[ERM] == (ERM, "top right") and found[SLIM] == (SLIM, "bottom right")
    assert found["method 0"] == ("method 0", "top left"), "inwards from the edge"


def test_a_name_that_fits_nowhere_is_there_on_hover() -> None:
    found = drawn([3.0, 3.1, 3.2, 36.0], [0.022, 0.022, 0.022, 0.035])
    assert [found[name][0] for name in (ERM, SLIM, "method 0")] == [ERM, SLIM, ""]


def test_methods_of_one_worst_group_and_no_cost_are_drawn() -> None:
    assert drawn([0.0, 0.0], [0.5, 0.5])[SLIM] == (SLIM, "bottom right")


def test_worst_groups_that_are_all_zero_draw_no_rate_below_zero() -> None:
    frame = pd.DataFrame({"name": [ERM, SLIM], "labels_used": "none", "wga_mean": 0.0, "seconds": [1.0, 2.0]})
    assert against(frame, "seconds", "seconds of computing").layout.yaxis.rangemode == "nonnegative"
