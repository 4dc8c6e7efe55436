"""The charts of a study."""

from __future__ import annotations

import pandas as pd

from slim_core.evaluation.charts.study import PLOT_PX, against, answers_curve

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
    low, high = against(frame, "seconds", "seconds of computing").layout.yaxis.range
    assert high > 100 and 23 <= -low / (high - low) * PLOT_PX[1] < 40, "pixels: room for a name, none for a number"


def test_a_curve_of_worst_groups_that_are_all_zero_goes_up_to_all() -> None:
    frame = pd.DataFrame({"set": "digits", "method": "slim", "answers": [0.01, 0.03], "wga_mean": 0.0, "wga_sd": 0.0})
    assert answers_curve(frame).layout.yaxis.range[1] > 100
    assert answers_curve(frame.assign(wga_mean=0.4)).layout.yaxis.range is None


def test_lines_at_one_share_stand_beside_each_other_and_tell_the_share_itself() -> None:
    about = {"method": "slim", "answers": [0.0, 0.03], "wga_mean": 0.5, "wga_sd": 0.1}
    frame = pd.concat([pd.DataFrame({"set": name, **about}) for name in "abc"])
    lines = answers_curve(frame).data
    assert len({line.x[0] for line in lines}) == 3 and abs(lines[1].x[0]) < 1e-9, "the middle one stands at its share"
    assert all(list(line.customdata) == [0.0, 3.0] for line in lines), "what is told on hover"
    assert max(abs(line.x[0]) for line in lines) < 0.1 * 3.0, "nearer to its share than to another"


def test_attention_begins_at_the_lowest_mark_and_cost_at_zero() -> None:
    frame = pd.DataFrame({"name": [ERM, SLIM], "labels_used": "none", "wga_mean": [0.5, 0.6], "a": [0.42, 0.46]})
    assert against(frame, "a", "attention", in_percent=True).layout.xaxis.rangemode == "nonnegative"
    assert against(frame, "a", "seconds").layout.xaxis.rangemode == "tozero"
    crowded = frame.assign(wga_mean=[0.5, 0.501])
    places = [trace.textposition for trace in against(crowded, "a", "attention", in_percent=True).data]
    assert places == [("top right", "top left")], "names at both edges do not meet"
