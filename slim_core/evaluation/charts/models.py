"""Charts that set models side by side: the same on the Compare page and in the report. DataFrame -> plotly Figure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from slim_core.evaluation.charts.layout import BLUE, FEW, INK, base_layout, interval, literal, run_colours
from slim_core.formatting import counted
from slim_core.formatting import interval as percent_interval

LISTED = 3 * FEW  # runs that a line each can show


def cost_scatter(frame: pd.DataFrame, cost: str, title: str, baseline: str | None = None) -> go.Figure:
    """Worst-group accuracy against what it cost, one dot a run with its 95 % interval.

    ``frame``: run and method (names), wga, wga_low, wga_high (0..1) and the column ``cost``, one row a run. Runs of one
    method share a colour where there are few methods.
    """
    figure = go.Figure()
    colours = method_colours(frame, baseline)
    lowest = np.nan_to_num(frame["wga_low"].astype(float).min()) * 100
    start = max(0.0, 20 * np.floor((lowest - 5) / 20))  # dots need no zero: they fill the plot
    for method, colour in colours.items():
        part = frame[frame["method"] == method]
        figure.add_scatter(
            x=part[cost],
            y=part["wga"] * 100,
            name=str(method),
            mode="markers",
            customdata=part["run"].map(literal),
            cliponaxis=False,
            marker={"color": colour, "size": 10 if len(frame) <= 5 * FEW else 7, "opacity": 0.85},
            error_y={
                **interval(part, "wga", "wga_low", "wga_high"),
                "thickness": 1,
                "width": 0,
                "color": colour,
            },
            hovertemplate="%{customdata}<br>worst group %{y:.1f} %<br>" + title + " %{x:,.4~g}<extra></extra>",
        )
    highest = float(np.nan_to_num(frame[cost].to_numpy(float)).max(initial=0)) or 1.0
    return base_layout(
        figure,
        height=400,
        x={"title": title, "range": [-0.06 * highest, 1.06 * highest]},
        y={"title": "worst group, 95 % interval", "ticksuffix": " %", "range": [start, 103]},
        showlegend=len(colours) <= FEW,
    )


def method_colours(frame: pd.DataFrame, baseline: str | None = None) -> dict[str, str]:
    """The colour of each method where a dot is a run, as of ``cost_scatter``; ``baseline`` is the name of a run."""
    against = frame.loc[frame["run"] == baseline, "method"]
    return run_colours(frame["method"].drop_duplicates().tolist(), against.iloc[0] if len(against) else None)


def has_cost(frame: pd.DataFrame, cost: str) -> bool:
    """Whether a run cost anything: where none did, all lie on one line, and their names on each other."""
    return bool(frame[cost].fillna(0).max() > 0)


def seed_differences(frame: pd.DataFrame) -> go.Figure:
    """Change of worst-group accuracy against the baseline, in points: mean and 95 % t interval over paired seeds.

    ``frame``: method, change, change_low, change_high (0..1, NaN = too few pairs for an interval) and pairs, one row a
    method (slim_core.evaluation.comparison.over_seeds).
    """
    shown = frame[frame["pairs"] > 0]
    bounds = zip(shown["change_low"], shown["change_high"], strict=True)
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": INK, "width": 1, "dash": "dot"})
    figure.add_scatter(
        x=shown["change"] * 100,
        y=[f"{method} ({counted(n, 'seed')})" for method, n in zip(shown["method"], shown["pairs"], strict=True)],
        mode="markers",
        marker={"color": BLUE, "size": 11},
        error_x=interval(shown, "change", "change_low", "change_high"),
        customdata=["no interval" if low != low else percent_interval(low, high, "+") for low, high in bounds],
        hovertemplate="%{y}<br>%{x:+.1f} points (%{customdata})<extra></extra>",
    )
    return base_layout(
        figure,
        height=110 + 40 * max(len(shown), 1),
        x={"title": "change of worst-group accuracy, points", "zeroline": False},
        y={"autorange": "reversed", "automargin": True},
    )


def averages(rows: pd.DataFrame, measures: Mapping[str, str], baseline: str | None = None) -> go.Figure:
    """A line a run with its worst group and averages; above LISTED runs worst group against average, a dot a run.

    ``rows``: one row a run, as from slim_core.evaluation.comparison.table.
    """
    if len(rows) <= LISTED:
        return headline(long(rows, measures))
    return cost_scatter(
        rows.assign(run=rows["label"], percent=rows["average"] * 100), "percent", "average, %", baseline
    )


def attention(rows: pd.DataFrame, measures: Mapping[str, str], baseline: str | None = None) -> go.Figure:
    """Attention scores of each run; above LISTED runs worst group against attention precision, a dot a run."""
    if len(rows) <= LISTED:
        return headline(long(rows, measures), "mean of the images")
    frame = rows.assign(run=rows["label"], percent=rows["attention_precision"] * 100)
    return cost_scatter(frame, "percent", "attention precision, %", baseline)


def headline(frame: pd.DataFrame, title: str = "accuracy") -> go.Figure:
    """The numbers of each run on one line: how far worst group, average and adjusted average lie apart.

    ``frame``: run (name), measure (name), value (0..1), one row a run and measure.
    """
    figure = go.Figure()
    symbols = ("circle", "diamond-open", "square-open", "triangle-up-open", "cross-open")
    for position, measure in enumerate(frame["measure"].drop_duplicates()):
        part = frame[frame["measure"] == measure]
        figure.add_scatter(
            x=part["value"] * 100,
            y=part["run"],
            mode="markers",
            name=str(measure),
            marker={
                "size": 12,
                "symbol": symbols[position % len(symbols)],
                "color": INK,
                "line": {"width": 2, "color": INK},
            },
            hovertemplate=f"%{{y}}<br>{measure} %{{x:.1f}} %<extra></extra>",
        )
    return base_layout(
        figure,
        height=120 + 34 * max(frame["run"].nunique(), 1),
        x={"ticksuffix": " %", "title": title, "range": [-2, 103]},  # a mark at 0 % is whole
        y={"autorange": "reversed", "automargin": True},
    )


def long(rows: pd.DataFrame, measures: Mapping[str, str]) -> pd.DataFrame:
    """run, measure, value: one row a run and measure, without measures that no run has.

    ``measures``: their names by column of ``rows``, which has one row a run and its ``label``.
    """
    parts = [
        pd.DataFrame({"run": rows["label"], "measure": name, "value": rows[key]})
        for key, name in measures.items()
        if rows[key].notna().any()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["run", "measure", "value"])
