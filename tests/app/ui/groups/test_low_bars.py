"""Bars that open images: those that are too low to be pressed are reached as well."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.ui.groups import LOW, _reach_low_bars
from slim_core.evaluation.charts.results import group_bars, group_intervals


def accuracies(*rates: float) -> pd.DataFrame:
    """Of two runs in as many groups."""
    n = len(rates)
    frame = pd.DataFrame({"group": [f"g{k}" for k in range(n)], "accuracy": rates, "low": rates, "high": rates})
    frame = frame.assign(n=30, worst=False, key=[f"r.{k}" for k in range(n)])
    return pd.concat([frame.assign(run="before"), frame.assign(run="after")], ignore_index=True)


def reached(figure: go.Figure) -> dict[str, list[tuple[str, float, float]]]:
    """Place beside each other -> cell, from, to in percent of all bars there."""
    found: dict[str, list[tuple[str, float, float]]] = {}
    for bar in figure.data:
        sizes = np.asarray(bar.x, float)
        begins = np.zeros(len(sizes)) if bar.base is None else np.asarray(bar.base, float)
        cells = [carried[0] for carried in bar.customdata]
        found.setdefault(bar.offsetgroup, []).extend(zip(cells, begins, begins + sizes, strict=True))
    return found


def test_every_group_of_every_run_can_be_pressed() -> None:
    figure = group_intervals(accuracies(0.0, 0.03, 0.5), "before")
    _reach_low_bars(figure)
    places = reached(figure)
    assert len(places) == 2, "one a run"
    for bars in places.values():
        assert {cell for cell, _, end in bars if end >= LOW} == {"r.0", "r.1", "r.2"}
        assert sorted(bars)[:3] == [("r.0", 0, 0), ("r.0", 0, LOW), ("r.1", 0, 3)]


def test_bars_of_one_run_are_reached_and_their_hover_text_says_the_accuracy() -> None:
    frame = accuracies(0.0, 0.03, 0.5).query("run == 'before'")
    figure = group_bars(frame, list(frame["key"]))
    _reach_low_bars(figure)
    drawn, over = figure.data
    assert list(over.hovertext) == ["0.0", "3.0"] and "%{hovertext} %" in over.hovertemplate
    assert [carried[0] for carried in over.customdata] == ["r.0", "r.1"] and over.marker.opacity == 0
    assert drawn.hovertemplate.replace("%{x:.1f}", "%{hovertext}") == over.hovertemplate
    assert figure.layout.showlegend is False, "of one run and what lies over it, Plotly would list 'trace 0'"


def test_bars_that_can_be_pressed_are_left_as_they_are() -> None:
    figure = group_intervals(accuracies(0.4, 0.5), "before")
    _reach_low_bars(figure)
    assert len(figure.data) == 2
