"""Training curves as pure functions."""

from __future__ import annotations

import pytest

from slim_core.evaluation.charts import results as charts

HISTORY = [
    {"epoch": 1, "train_loss": 0.7, "val": {"wga": 0.2, "average": 0.6, "groups": [{"name": "a", "accuracy": 0.2}]}},
    {"epoch": 2, "train_loss": 0.5, "val": None},
    {"epoch": 3, "train_loss": 0.3, "val": {"wga": 0.4, "average": 0.8, "groups": [{"name": "a", "accuracy": None}]}},
]


def test_history_becomes_one_row_an_epoch_and_series_without_missing_values() -> None:
    frame = charts.history_frame(HISTORY)
    assert len(frame) == 3 + 2 + 2 + 1
    assert frame[frame["series"] == "worst group"]["value"].tolist() == [0.2, 0.4]
    assert frame[frame["series"] == "a"]["epoch"].tolist() == [1]


def test_a_class_called_loss_is_not_drawn_as_the_loss() -> None:
    groups = [{"name": name, "accuracy": rate} for name, rate in (("loss", 0.25), ("average", 0.75), ("win", 0.5))]
    entry = {"epoch": 1, "train_loss": 0.7, "val": {"average": 0.5, "wga": 0.25, "groups": groups}}
    values = charts.history_frame([entry]).set_index("series")["value"].to_dict()
    assert values == {
        "loss": 0.7, "average": 0.5, "worst group": 0.25, "loss (2)": 0.25, "average (2)": 0.75, "win": 0.5,
    }  # fmt: skip


def test_no_history_is_an_empty_frame_and_an_empty_chart() -> None:
    frame = charts.history_frame([])
    assert frame.empty
    assert len(charts.accuracy_curves(frame, epochs=3).data) == 0


def test_the_loss_curve_holds_the_losses_and_marks_the_epoch_kept() -> None:
    figure = charts.loss_curve(charts.history_frame(HISTORY), epochs=8, best_epoch=3)
    assert list(figure.data[0].y) == [0.7, 0.5, 0.3]
    assert figure.layout.shapes[0].x0 == 3
    assert figure.layout.xaxis.range[1] > 8  # room for the epochs to come


def test_accuracies_are_drawn_in_percent_with_the_worst_group_first() -> None:
    figure = charts.accuracy_curves(charts.history_frame(HISTORY), epochs=3)
    assert [trace.name for trace in figure.data] == ["worst group", "average", "a"]
    assert list(figure.data[1].y) == pytest.approx([60, 80])


def test_the_epoch_kept_is_named_below_every_accuracy() -> None:
    figure = charts.accuracy_curves(charts.history_frame(HISTORY), epochs=8, best_epoch=3)
    (kept,) = figure.layout.annotations
    assert (kept.text, kept.y, kept.yanchor) == ("kept", 0, "bottom"), "at the lower end of the plot"
    low, high = figure.layout.yaxis.range
    assert -low / (high - low) * figure.layout.height > 30, "pixels below 0: enough for a line of text"


def test_a_single_point_without_a_loss_is_no_curve() -> None:
    assert charts.has_curves(charts.history_frame(HISTORY))
    refitted = [{name: value for name, value in HISTORY[0].items() if name != "train_loss"}]
    assert not charts.has_curves(charts.history_frame(refitted)) and not charts.has_curves(charts.history_frame([]))
