"""Charts of more groups than can be named: the ones that matter are shown, and the axis says so."""

from __future__ import annotations

import pandas as pd

from app.curate.view import cells_chart, group_balance
from slim_core.evaluation.charts import results
from slim_core.evaluation.charts.results import MOST

N = 80


def rates(n: int = N, runs: tuple[str, ...] = ("erm", "slim")) -> pd.DataFrame:
    """Group k has an accuracy of k in a hundred; in slim one more."""
    parts = [
        pd.DataFrame(
            {"run": run, "group": [f"g{k}" for k in range(n)], "accuracy": [(k + more) / 100 for k in range(n)]}
        )
        for more, run in enumerate(runs)
    ]
    return pd.concat(parts, ignore_index=True).assign(low=0.0, high=1.0, n=10, worst=False)


def test_of_many_groups_the_lowest_are_compared_sideways_and_the_axis_says_how_many_are_left_out() -> None:
    shuffled = rates().sample(frac=1, random_state=0)
    figure = results.group_intervals(shuffled, "erm")
    assert [len(trace.y) for trace in figure.data] == [MOST, MOST]
    assert figure.data[0].y[0] == "g0 (n = 10)" and figure.data[0].orientation == "h"
    assert f"the {MOST} lowest of {N} groups" in figure.layout.xaxis.title.text


def test_a_group_that_one_run_alone_gets_wrong_is_among_the_lowest() -> None:
    frame = rates()
    frame.loc[(frame["group"] == "g79") & (frame["run"] == "slim"), "accuracy"] = 0.0
    assert "g79 (n = 10)" in results.group_intervals(frame, "erm").data[0].y


def test_many_runs_over_many_groups_are_dots_of_the_lowest_groups() -> None:
    figure = results.group_intervals(rates(runs=tuple(f"run {k}" for k in range(9))), "run 0")
    assert len(figure.layout.xaxis.ticktext) == MOST
    assert f"the {MOST} lowest of {N} groups" in figure.layout.yaxis.title.text


def test_bars_of_many_groups_are_the_lowest_and_open_their_own_images() -> None:
    figure = results.group_bars(rates(runs=("erm",))[::-1], [f"cell {k}" for k in reversed(range(N))])
    assert list(figure.data[0].y[:2]) == ["g0 (n = 10)", "g1 (n = 10)"]
    assert [row[0] for row in figure.data[0].customdata[:2]] == ["cell 0", "cell 1"]


def test_shares_of_more_groups_than_colours_have_no_legend() -> None:
    found = [{"split": "train", "name": f"g{k}", "n": 1} for k in range(N)]
    assert results.split_shares(results.split_frame(found)).layout.showlegend is False
    assert results.split_shares(results.split_frame(found[:4])).layout.showlegend is True


def test_curves_of_more_groups_than_colours_leave_the_legend_to_the_worst_and_the_average() -> None:
    val = {"wga": 0.1, "average": 0.5, "groups": [{"name": f"g{k}", "accuracy": 0.5} for k in range(N)]}
    drawn = results.accuracy_curves(results.history_frame([{"epoch": 1, "train_loss": 1.0, "val": val}]), 1).data
    assert [trace.name for trace in drawn if trace.showlegend] == ["worst group", "average"]
    assert len(drawn) == N + 2


def test_the_histogram_of_more_classes_than_colours_has_one_for_all() -> None:
    frame = pd.DataFrame({"score": 0.5, "class": [f"c{k}" for k in range(N)]})
    (bars,) = results.score_histogram(frame).data
    assert (bars.name, sum(bars.y)) == ("all classes", N)


def test_scores_of_many_groups_are_those_of_the_lowest_precision() -> None:
    frame = pd.DataFrame({"name": [f"g{k}" for k in range(N)], "n": 1, "n_scored": 1, "aiou": 0.5})
    frame["attention_precision"] = [1 - k / 100 for k in range(N)]
    precision, _ = results.group_scores(frame).data
    assert len(precision.y) == MOST and precision.y[0] == "g79"


def test_a_subset_of_many_groups_shows_those_that_change_most() -> None:
    frame = pd.DataFrame({"name": [f"g{k}" for k in range(N)], "before": 10, "after": 1})
    frame.loc[42, "after"] = 50
    before, _ = group_balance(frame).data
    assert len(before.y) == MOST and before.y[0] == "g42"


def test_of_many_cells_those_with_repeats_are_shown_then_the_smallest() -> None:
    frame = pd.DataFrame({"cell": [f"c{k}" for k in range(N)], "size": range(N), "chosen": 1, "repeated": 0})
    frame.loc[42, "repeated"] = 5
    chosen, _ = cells_chart(frame).data
    assert list(chosen.y[:3]) == ["c42", "c0", "c1"] and len(chosen.y) == MOST
