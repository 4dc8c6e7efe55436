"""Charts that set models side by side: the same on the Compare page and in the report. DataFrame -> plotly Figure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from slim_core.evaluation.charts.layout import BLUE, FEW, GROUPED, INK, base_layout, interval, literal, run_colours
from slim_core.formatting import counted
from slim_core.formatting import interval as percent_interval

LISTED = 3 * FEW  # runs that a line each can show
DOTS_PX = 400, 270  # of a plot of dots, as two stand side by side on a page
LETTER_PX, LINE_PX, DOT_PX = 5.2, 11, 8  # of the name beside a dot; how far the dot keeps it off


def cost_scatter(frame: pd.DataFrame, cost: str, title: str, baseline: str | None = None) -> go.Figure:
    """Worst-group accuracy against what it cost, one dot a run with its 95 % interval; names where they fit.

    ``frame``: run and method (names), wga, wga_low, wga_high (0..1) and the column ``cost``, one row a run. Runs of one
    method share a colour where there are few methods.
    """
    figure = go.Figure()
    colours = method_colours(frame, baseline)
    lowest = np.nan_to_num(frame["wga_low"].astype(float).min()) * 100
    start = max(0.0, 20 * np.floor((lowest - 5) / 20))  # dots need no zero: they fill the plot
    placed = frame.assign(name=_short_names(frame), side=_sides(frame[cost], frame["wga"]))
    named = len(frame) <= FEW and not _overlap(placed, cost, start)
    for method, colour in colours.items():
        part = placed[placed["method"] == method]
        figure.add_scatter(
            x=part[cost],
            y=part["wga"] * 100,
            name=str(method),
            mode="markers+text" if named else "markers",
            text=part["name"],
            textposition=part["side"].tolist(),
            textfont={"size": 11},
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
        showlegend=not named and len(colours) <= FEW,
    )


def method_colours(frame: pd.DataFrame, baseline: str | None = None) -> dict[str, str]:
    """The colour of each method where a dot is a run, as of ``cost_scatter``; ``baseline`` is the name of a run."""
    against = frame.loc[frame["run"] == baseline, "method"]
    return run_colours(frame["method"].drop_duplicates().tolist(), against.iloc[0] if len(against) else None)


def has_cost(frame: pd.DataFrame, cost: str) -> bool:
    """Whether a run cost anything: where none did, all lie on one line, and their names on each other."""
    return bool(frame[cost].fillna(0).max() > 0)


def _short_names(frame: pd.DataFrame) -> list[str]:
    """Names short enough for the side of a dot: the method's first word, and the seed where a method has several."""
    short = frame["method"].str.partition(",")[0]
    if short.duplicated().any():
        short = frame["run"]
    return [str(name) for name in short]


def _sides(x: pd.Series, y: pd.Series) -> list[str]:
    """Where the name of each dot goes: inwards from the edges; to the other side where the dot below has it there."""
    across = (x / (x.max() or 1.0)).fillna(0.0).to_numpy()
    sides = np.where(across > 0.55, "middle left", "middle right").astype(object)
    order = np.argsort(np.nan_to_num(y.to_numpy(float)))
    for low, high in itertools.pairwise(order):
        near = abs(across[low] - across[high]) < 0.25 and abs(y.iloc[high] - y.iloc[low]) < 0.04
        if near and sides[low] == sides[high]:
            row = "bottom" if str(sides[low]).startswith("top") else "top"
            sides[high] = str(sides[high]).replace("middle", row)
    return [str(side) for side in sides]


def _overlap(placed: pd.DataFrame, cost: str, start: float) -> bool:
    """Whether the names beside two dots would lie on each other. ``start``: percent at the foot of the plot."""
    drawn = placed.dropna(subset=[cost, "wga"])
    wide, high = DOTS_PX
    x = drawn[cost] / (drawn[cost].max() or 1.0) * wide
    y = (drawn["wga"] * 100 - start) / (100 - start) * high
    boxes = [_box(*dot) for dot in zip(x, y, drawn["name"].str.len() * LETTER_PX, drawn["side"], strict=True)]
    return any(
        left < other_right and other_left < right and abs(middle - other_middle) < LINE_PX
        for (left, right, middle), (other_left, other_right, other_middle) in itertools.combinations(boxes, 2)
    )


def _box(x: float, y: float, long: float, side: str) -> tuple[float, float, float]:
    """Left and right edge, and height, of a name that is so long, in pixels."""
    row, along = side.split()
    left = x + DOT_PX if along == "right" else x - DOT_PX - long
    return left, left + long, y + {"top": LINE_PX + 2, "middle": 0, "bottom": -LINE_PX - 2}[row]


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
        return attention_change(long(rows, measures), baseline)
    frame = rows.assign(run=rows["label"], percent=rows["attention_precision"] * 100)
    return cost_scatter(frame, "percent", "attention precision, %", baseline)


def headline(frame: pd.DataFrame) -> go.Figure:
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
        x={"ticksuffix": " %", "title": "accuracy", "range": [-2, 103]},  # a mark at 0 % is whole
        y={"autorange": "reversed", "automargin": True},
    )


def attention_change(frame: pd.DataFrame, baseline: str | None = None) -> go.Figure:
    """Attention precision and AIoU of each run, side by side: bars for a few runs, dots for many.

    ``frame``: run (name), measure (name), value (0..1, NaN = no masks), one row a run and measure.
    """
    figure = go.Figure()
    runs = frame["run"].drop_duplicates().tolist()
    if len(runs) > FEW:
        return headline(frame)
    for run, colour in run_colours(runs, baseline).items():
        part = frame[frame["run"] == run]
        figure.add_bar(
            x=part["measure"],
            y=part["value"] * 100,
            name=str(run),
            marker={"color": colour, "opacity": 0.8},
            hovertemplate=f"{run}<br>%{{x}} %{{y:.1f}} %<extra></extra>",
        )
    return base_layout(
        figure,
        height=320,
        y={"ticksuffix": " %", "range": [0, 103], "title": "mean of the images"},
        **GROUPED,
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
