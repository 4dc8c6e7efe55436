"""Charts of a study: differences, worst group against answers, against attention and against cost."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from slim_core.evaluation.charts.layout import INTERVAL, base_layout
from slim_core.evaluation.charts.palette import BLUE, GREEN, INK, ORANGE, PURPLE, run_colours

# What a method uses beyond classes -> its colour and mark; of several labels the dearest counts.
USES = {
    "none": (ORANGE, "circle"),
    "answers": (BLUE, "diamond"),
    "groups in validation": (PURPLE, "square"),
    "groups in training": (GREEN, "triangle-up"),
}
NAMED = 12  # methods that can be named beside their marks


def differences(frame: pd.DataFrame, against: str) -> go.Figure:
    """``against`` minus each other method with its paired 95 % interval, in points.

    ``frame``: name, labels_used, minus_mean, minus_low, minus_high and minus_corrected_low, minus_corrected_high, drawn
    in place of these where they are known (-1..1; NaN: no interval), one row a method.
    """
    shown = frame.dropna(subset=["minus_mean"]).iloc[::-1]
    low, high = (shown[f"minus_corrected_{end}"].fillna(shown[f"minus_{end}"]) for end in ("low", "high"))
    shown = shown.assign(low=low, high=high)
    figure = go.Figure()
    for uses, (colour, symbol) in USES.items():
        part = shown[shown["labels_used"].map(dearest) == uses]
        if part.empty:
            continue
        figure.add_scatter(
            x=part["minus_mean"] * 100,
            y=part["name"],
            name=f"labels used: {uses}",
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 11},
            error_x={
                **INTERVAL,
                "array": (part["high"] - part["minus_mean"]) * 100,
                "arrayminus": (part["minus_mean"] - part["low"]) * 100,
            },
            hovertemplate=f"{against} minus %{{y}}: %{{x:+.1f}} points<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": INK, "width": 1})
    return base_layout(
        figure,
        height=120 + 32 * max(len(shown), 2),
        x={"title": f"{against} minus it, points of worst-group accuracy"},
        y={"categoryorder": "array", "categoryarray": shown["name"].tolist()},
    )


def answers_curve(frame: pd.DataFrame) -> go.Figure:
    """Worst-group accuracy against the share of images asked about, one line a set, with sd over seeds.

    ``frame``: set, method, answers (0..1), wga_mean, wga_sd (0..1).
    """
    figure = go.Figure()
    lines = [f"{row.set}, {row.method}" for row in frame.itertuples()]
    several = frame["method"].nunique() > 1
    named = frame.assign(line=lines if several else frame["set"])
    colours = run_colours(named["line"].drop_duplicates().tolist())
    for name, part in named.groupby("line", sort=False):
        part = part.sort_values("answers")
        figure.add_scatter(
            x=part["answers"] * 100,
            y=part["wga_mean"] * 100,
            name=str(name),
            mode="lines+markers",
            line={"color": colours[str(name)]},
            error_y={"type": "data", "array": part["wga_sd"] * 100, "thickness": 1, "width": 3},
            hovertemplate="%{y:.1f} % with %{x:.3g} % of the images asked about<extra>" + str(name) + "</extra>",
        )
    return base_layout(
        figure,
        height=400,
        x={"title": "images asked about", "ticksuffix": " %"},
        y={"title": "worst group, mean and sd", "ticksuffix": " %"},
    )


def against(frame: pd.DataFrame, column: str, title: str, *, in_percent: bool = False) -> go.Figure:
    """Mean worst-group accuracy against another mean of each method, marked by the labels it uses.

    ``frame``: name, labels_used, wga_mean and ``column``, one row a method. Above NAMED methods, names
    are shown on hover.
    """
    figure = go.Figure()
    known = frame.dropna(subset=[column, "wga_mean"])
    for uses, (colour, symbol) in USES.items():
        part = known[known["labels_used"].map(dearest) == uses]
        if part.empty:
            continue
        figure.add_scatter(
            x=part[column] * (100 if in_percent else 1),
            y=part["wga_mean"] * 100,
            name=f"labels used: {uses}",
            mode="markers+text" if len(known) <= NAMED else "markers",
            text=part["name"],
            textposition=["top left" if x > known[column].max() / 2 else "top right" for x in part[column]],
            textfont={"size": 11},
            cliponaxis=False,
            marker={"color": colour, "symbol": symbol, "size": 10, "opacity": 0.85},
            hovertemplate="%{text}<br>worst group %{y:.1f} %<br>" + title + " %{x:,.4~g}<extra></extra>",
        )
    return base_layout(
        figure,
        height=420,
        x={"title": title, "ticksuffix": " %" if in_percent else "", "rangemode": "tozero"},
        y={"title": "worst group, mean over seeds", "ticksuffix": " %"},
    )


def dearest(labels_used: str) -> str:
    """Of what a method uses, what costs most: the last that is named."""
    return labels_used.rpartition(", ")[2]
