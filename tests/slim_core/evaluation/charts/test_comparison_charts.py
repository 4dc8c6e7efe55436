"""Runs side by side as charts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slim_core.evaluation.charts import layout
from slim_core.evaluation.charts import results as charts
from slim_core.evaluation.charts.layout import INK, RUNS, colour_of, have_colours, run_colours
from slim_core.evaluation.charts.results import group_intervals

GROUPS = pd.DataFrame(
    {
        "run": ["erm", "erm", "slim", "slim"],
        "group": ["land", "sea", "land", "sea"],
        "accuracy": [0.9, 0.5, 0.92, np.nan],
        "low": [0.85, 0.4, 0.88, np.nan],
        "high": [0.93, 0.6, 0.95, np.nan],
        "n": [100, 50, 100, 0],
        "key": ["r-1.group.0", "r-1.group.1", "r-2.group.0", "r-2.group.1"],
    }
)


def test_a_group_at_0_percent_has_a_mark_in_the_colour_of_its_bar() -> None:
    marks = [bar.marker for bar in group_intervals(GROUPS.assign(accuracy=0.0)).data]
    assert all(mark.line.width > 0 and mark.line.color == mark.color for mark in marks) and len(marks) == 2
    worst = charts.group_bars(GROUPS[:2].assign(accuracy=[0.5, 0.0], worst=[False, True])).data[0].marker
    assert worst.line.width > 0 and worst.line.color[1] == worst.color[1] != worst.color[0]


def many(n: int = 20) -> pd.DataFrame:
    parts = [
        GROUPS[:2].assign(run=f"run {i}", accuracy=[0.9 - i / 100, 0.5], key=[f"k{i}a", f"k{i}b"]) for i in range(n)
    ]
    return pd.concat(parts, ignore_index=True)


def test_every_run_has_a_bar_a_group_with_its_own_interval_and_n() -> None:
    erm, slim = group_intervals(GROUPS).data
    assert list(erm.x) == pytest.approx([90, 50])
    assert list(erm.error_x.array) == pytest.approx([3, 10])
    assert list(erm.error_x.arrayminus) == pytest.approx([5, 10])
    assert list(erm.y) == ["land (n = 100)", "sea (n = 50)"]
    assert erm.marker.color != slim.marker.color


@pytest.mark.parametrize("baseline", ["erm", None])
def test_a_run_keeps_its_colour_where_another_of_other_groups_is_not_drawn(baseline) -> None:
    runs = ["erm", "random", "slim"]
    drawn = group_intervals(GROUPS, baseline, runs).data
    colours = run_colours(runs, baseline)
    assert {trace.name: trace.marker.color for trace in drawn} == {run: colours[run] for run in ("erm", "slim")}


def test_an_empty_group_has_no_bar_rather_than_a_zero() -> None:
    _, slim = group_intervals(GROUPS).data
    assert np.isnan(slim.x[1])


def test_a_group_without_images_in_any_run_takes_no_room_and_the_axis_names_it() -> None:
    gone = GROUPS.assign(n=[100, 0, 100, 0])
    for frame, axis in ((gone, "xaxis"), (pd.concat([gone.assign(run=f"run {k}") for k in range(9)]), "yaxis")):
        figure = group_intervals(frame)
        assert figure.layout[axis].title.text == "accuracy, 95 % interval<br>no images: sea"
        shown = [figure.layout.xaxis.ticktext, *([trace.x, trace.y] for trace in figure.data)]
        assert "sea" not in str(shown)
    long = gone.replace({"group": {"sea": "a name that is far too long to be written beside an axis"}})
    assert group_intervals(long).layout.xaxis.title.text.endswith("<br>no images in 1 group")
    assert "no images" not in group_intervals(GROUPS).layout.xaxis.title.text, "one run has some"


def test_each_mark_names_what_a_click_on_it_opens() -> None:
    erm, _ = group_intervals(GROUPS).data
    assert [row[0] for row in erm.customdata] == ["r-1.group.0", "r-1.group.1"]
    drawn = group_intervals(many(), "run 3")
    assert sorted(row[0] for trace in drawn.data for row in trace.customdata) == sorted(many()["key"])


def test_many_runs_are_dots_by_rising_accuracy_with_the_baseline_marked() -> None:
    others, baseline = group_intervals(many(), "run 3").data
    assert (others.type, len(others.x), len(baseline.x)) == ("scatter", 38, 2)
    land = others.x < 0.5
    assert (np.diff(np.asarray(others.y)[land][np.argsort(np.asarray(others.x)[land])]) >= 0).all()
    assert baseline.marker.color != others.marker.color


def test_a_run_keeps_its_colour_whatever_the_baseline_and_the_order() -> None:
    colours = run_colours(["slim", "erm", "random"], "erm")
    assert len({*colours.values()}) == 3 and colours["random"] == layout.METHODS["random"]
    assert run_colours(["random", "erm", "slim"], "random") == colours
    assert set(RUNS) <= set(layout.GROUPS)


def test_a_method_has_one_colour_whichever_others_are_beside_it() -> None:
    alone, among = run_colours(["SLIM", "ERM"], "ERM"), run_colours(["mine", "random", "SLIM, seed 1", "ERM"], "ERM")
    assert alone["SLIM"] == among["SLIM, seed 1"] == layout.METHODS["SLIM"]
    everything = [*(layout.METHODS.keys() - {"reference"}), "SLIM, seed 1", "mine", "theirs"]
    assert len({*run_colours(everything).values()}) == layout.FEW


def test_runs_of_one_method_have_colours_of_their_own() -> None:
    assert len({*run_colours([f"SLIM, seed {seed}" for seed in range(layout.FEW)]).values()}) == layout.FEW


def test_twenty_groups_have_a_colour_each() -> None:
    assert have_colours(20) and len({colour_of(k) for k in range(20)}) == 20
    assert not have_colours(21)


def test_measures_differ_by_shape_since_colour_means_the_run() -> None:
    frame = pd.DataFrame({"run": ["erm", "erm"], "measure": ["worst group", "average"], "value": [0.6, 0.9]})
    worst, average = charts.headline(frame).data
    assert worst.marker.symbol != average.marker.symbol
    assert worst.marker.color == average.marker.color
    assert list(worst.x) == [60]


def costs(n: int = 2) -> pd.DataFrame:
    names = [f"m{i}" for i in range(n)]
    return pd.DataFrame(
        {"run": names, "method": names, "wga": 0.6, "wga_low": 0.5, "wga_high": 0.7, "answers": range(0, 10 * n, 10)}
    )


def test_a_run_stands_over_what_it_cost_with_its_name_and_interval() -> None:
    figure = charts.cost_scatter(costs(), "answers", "answers spent", "m0")
    first, second = figure.data
    assert (list(first.x), list(second.x), list(second.y)) == ([0], [10], [60])
    assert second.name == "m1" and list(second.error_y.array) == pytest.approx([10])
    assert first.marker.color == INK and figure.layout.showlegend


def test_the_axis_of_dots_begins_below_the_lowest_interval_and_never_below_zero() -> None:
    def start(low: float) -> float:
        return charts.cost_scatter(costs().assign(wga_low=low), "answers", "answers spent").layout.yaxis.range[0]

    assert [start(low) for low in (0.5, 0.84, 0.02, np.nan)] == [40, 60, 0, 0]


@pytest.mark.parametrize("chart", [charts.averages, charts.attention])
def test_a_line_a_run_becomes_a_dot_a_run_where_there_are_many(chart) -> None:
    rows = costs(30).assign(label=[f"m{i}" for i in range(30)], average=0.8, attention_precision=0.5)
    few = chart(rows[:3], {"wga": "worst group"})
    many = chart(rows, {"wga": "worst group"}, "m0")
    assert few.layout.height < 400 and many.layout.height == 400
    assert sum(len(trace.x) for trace in many.data) == 30


def test_unknown_costs_do_not_break_the_axis() -> None:
    assert charts.cost_scatter(costs().assign(answers=np.nan), "answers", "answers spent").layout.xaxis.range[1] > 0


def test_differences_over_seeds_have_their_interval_and_methods_without_pairs_are_left_out() -> None:
    frame = pd.DataFrame(
        {
            "method": ["erm", "slim", "one"], "pairs": [0, 3, 1], "change": [np.nan, 0.2, 0.1],
            "change_low": [np.nan, 0.1, np.nan], "change_high": [np.nan, 0.3, np.nan],
        }
    )  # fmt: skip
    (dots,) = charts.seed_differences(frame).data
    assert list(dots.y) == ["slim (3 seeds)", "one (1 seed)"]
    assert list(dots.x) == pytest.approx([20, 10])
    assert dots.error_x.array[0] == pytest.approx(10) and np.isnan(dots.error_x.array[1])
    assert list(dots.customdata) == ["+10.0 to +30.0", "no interval"]


def test_what_no_run_cost_is_not_drawn() -> None:
    assert charts.has_cost(costs(), "answers")
    assert not charts.has_cost(costs().assign(answers=0), "answers")
    assert not charts.has_cost(costs().assign(answers=np.nan), "answers")
