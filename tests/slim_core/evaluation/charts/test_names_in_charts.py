"""Names in charts: shown as people wrote them, and never wider than the chart."""

from __future__ import annotations

import json

import pandas as pd
import plotly.graph_objects as go
import pytest

from app.curate.view import group_balance
from slim_core.evaluation.charts import results
from slim_core.evaluation.charts.layout import (
    FEWER_LETTERS,
    LETTERS,
    ROW,
    ROWS,
    base_layout,
    cut,
    legend_rows,
    without_legend,
)
from slim_core.evaluation.charts.space import HEIGHT_PX, space_scatter

BOLD, LONG = "<b>bold</b>, sea", f"{'long' * 30}, land"


def rates(runs: tuple[str, ...]) -> pd.DataFrame:
    """Two groups of each run; what a click opens is not shown."""
    return pd.DataFrame(
        [(run, group, 0.5, 0.3, 0.7, 9, False, "cell") for run in runs for group in (BOLD, LONG)],
        columns=["run", "group", "accuracy", "low", "high", "n", "worst", "key"],
    )


def curves() -> pd.DataFrame:
    """Two epochs of two groups."""
    return pd.DataFrame([(k, name, 0.5) for k in (1, 2) for name in (BOLD, LONG)], columns=["epoch", "series", "value"])


def points() -> pd.DataFrame:
    """Two images."""
    return pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0], "group": [BOLD, LONG]})


FIGURES = {
    "bars": lambda: results.group_bars(rates(("erm",)), ["a", "b"]),
    "several runs": lambda: results.group_intervals(rates(("erm", "<i>mine</i>"))),
    "dots": lambda: results.group_intervals(rates(tuple(f"<i>{k}</i>" for k in range(9))), "<i>0</i>"),
    "empty": lambda: results.group_bars(rates(("erm",)).assign(n=[0, 9]), ["a", "b"]),
    "shares": lambda: results.split_shares(results.split_frame([{"split": "train", "name": BOLD, "n": 9}])),
    "curves": lambda: results.accuracy_curves(curves(), 2),
    "scores": lambda: results.score_histogram(pd.DataFrame({"score": [0.1, 0.9], "class": [BOLD, LONG]})),
    "balance": lambda: group_balance(pd.DataFrame({"name": [BOLD, LONG], "before": 9, "after": 3})),
    "numbers": lambda: results.headline(pd.DataFrame({"run": [BOLD, LONG], "measure": "average", "value": 0.5})),
    "space": lambda: space_scatter(points(), "group", title="<b>bold</b>"),
}


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_tag_in_a_name_is_shown_and_not_obeyed(draw) -> None:
    text = json.dumps(json.loads(draw().to_json())["data"]) + json.dumps(json.loads(draw().to_json())["layout"])
    assert "<b>" not in text and "<i>" not in text
    assert "&lt;" in text


def longest(figure: go.Figure) -> str:
    """Of the names in the legend and beside the axes, with what stands below it."""
    axes = [name for axis in (figure.layout.xaxis, figure.layout.yaxis) for name in axis.ticktext or ()]
    return max([*(trace.name or "" for trace in figure.data), *axes], key=len)


@pytest.mark.parametrize("kind", ["bars", "several runs", "dots", "curves", "balance", "numbers", "scores"])
def test_a_long_name_is_cut_in_its_middle_and_leaves_the_plot_its_room(kind) -> None:
    shown = longest(FIGURES[kind]())
    assert "…" in shown and ", land" in shown
    assert len(shown.partition("<br>")[0]) <= LETTERS


def test_two_long_names_that_are_cut_alike_stay_two_bars_and_are_whole_in_the_hover() -> None:
    names = [f"{'a' * 40}{middle}{'b' * 40}" for middle in "xy"]
    figure = group_balance(pd.DataFrame({"name": names, "before": [1, 2], "after": [3, 4]}))
    assert list(figure.data[0].y) == names
    assert figure.layout.yaxis.ticktext[0] == figure.layout.yaxis.ticktext[1]


def test_a_name_that_fits_is_left_alone_and_a_line_below_it_counts_for_nothing() -> None:
    assert cut("1, sea<br>n = 9") == "1, sea<br>n = 9"
    assert cut(f"{'a' * LETTERS}<br>n = 9") == f"{'a' * LETTERS}<br>n = 9"
    assert cut("&lt;b>" + "a" * LETTERS).startswith("&lt;b>aaa")


def test_a_legend_of_many_long_names_takes_nothing_of_the_plot() -> None:
    frame = pd.DataFrame([(1, f"{'a' * 60} {k:02}", 0.5) for k in range(12)], columns=["epoch", "series", "value"])
    few, many = results.accuracy_curves(frame[:3], 2), results.accuracy_curves(frame, 2)
    assert len(many.data[0].name) == FEWER_LETTERS and len({line.name for line in many.data}) == 12
    assert legend_rows(few) == ROWS and few.layout.height == 320
    assert many.layout.height - few.layout.height == ROW * (legend_rows(many) - ROWS) > 0


def test_a_chart_without_its_legend_is_as_high_as_one_that_never_had_any() -> None:
    frame = pd.DataFrame([(1, f"{'a' * 60} {k:02}", 0.5) for k in range(12)], columns=["epoch", "series", "value"])
    drawn = without_legend(results.accuracy_curves(frame, 2))
    assert drawn.layout.showlegend is False
    assert drawn.layout.height == without_legend(drawn).layout.height == 320


def test_a_legend_of_short_names_leaves_a_chart_its_height() -> None:
    frame = pd.DataFrame([(1, f"class {k}", 0.5) for k in range(12)], columns=["epoch", "series", "value"])
    assert results.accuracy_curves(frame, 2).layout.height == 320


def test_a_space_keeps_its_height_for_its_legend_is_beside_it() -> None:
    names = [f"{'a' * 60} {k}" for k in range(20)]
    drawn = space_scatter(pd.DataFrame({"x": range(20), "y": range(20), "group": names}), "group")
    assert drawn.layout.height == HEIGHT_PX


def test_numbers_beside_an_axis_are_written_out_as_they_are_in_tables():
    figure = base_layout(go.Figure().add_scatter(x=[1, 2], y=[0.0005, 60_000]), 200)
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert (axis.exponentformat, axis.separatethousands) == ("none", True), "not 500µ and 60k"
