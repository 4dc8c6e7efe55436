"""Charts that set runs side by side: accuracy per group with its interval, attention before and after."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.charts.layout import calm
from app.charts.palette import INK, colour_of

SYMBOLS = ("circle", "diamond-open", "square-open", "triangle-up-open", "cross-open")


def group_intervals(frame: pd.DataFrame) -> go.Figure:
    """Accuracy of every group in every run: a bar, a dot at its end, and the 95 % Wilson interval.

    ``frame``: run (name), group (name), accuracy, low, high (0..1; NaN for an empty group) and n, one row a run and
    group; runs and groups keep the order of the frame.
    """
    sizes = frame.groupby("group")["n"].max()
    frame = frame.assign(group=[f"{group}<br>n = {sizes[group]:,}" for group in frame["group"]])
    figure = go.Figure()
    for position, run in enumerate(frame["run"].drop_duplicates()):
        part = frame[frame["run"] == run]
        percent = part[["accuracy", "low", "high"]] * 100
        error = {
            "type": "data",
            "symmetric": False,
            "array": percent["high"] - percent["accuracy"],
            "arrayminus": percent["accuracy"] - percent["low"],
            "thickness": 1.5,
            "color": INK,
        }
        figure.add_bar(
            x=part["group"],
            y=percent["accuracy"],
            name=str(run),
            marker={"color": colour_of(position), "opacity": 0.75},
            error_y=error,
            customdata=pd.concat([percent[["low", "high"]], part["n"]], axis=1),
            hovertemplate=f"{run}<br>%{{x}}<br>%{{y:.1f}} % (%{{customdata[0]:.1f}} to %{{customdata[1]:.1f}})"
            "<br>%{customdata[2]} images<extra></extra>",
        )
    figure.update_layout(barmode="group", bargap=0.25, bargroupgap=0.08)
    figure.update_yaxes(title="accuracy, 95 % interval", ticksuffix=" %", range=[0, 103])
    return calm(figure, height=380)


def headline(frame: pd.DataFrame) -> go.Figure:
    """The numbers of each run on one line: how far worst group, average and adjusted average lie apart.

    ``frame``: run (name), measure (name), value (0..1), one row a run and measure.
    """
    figure = go.Figure()
    for position, measure in enumerate(frame["measure"].drop_duplicates()):
        part = frame[frame["measure"] == measure]
        figure.add_scatter(
            x=part["value"] * 100,
            y=part["run"],
            mode="markers",
            name=str(measure),
            marker={"size": 13, "symbol": SYMBOLS[position % len(SYMBOLS)], "color": INK},
            hovertemplate=f"%{{y}}<br>{measure} %{{x:.1f}} %<extra></extra>",
        )
    figure.update_xaxes(ticksuffix=" %", title="accuracy", range=[0, 103])
    figure.update_yaxes(autorange="reversed", automargin=True, type="category")
    return calm(figure, height=120 + 44 * max(frame["run"].nunique(), 1))


def attention_change(frame: pd.DataFrame) -> go.Figure:
    """Attention precision and AIoU of each run, side by side.

    ``frame``: run (name), measure (name), value (0..1, NaN = no masks), one row a run and measure.
    """
    figure = go.Figure()
    for position, run in enumerate(frame["run"].drop_duplicates()):
        part = frame[frame["run"] == run]
        figure.add_bar(
            x=part["measure"],
            y=part["value"] * 100,
            name=str(run),
            marker_color=colour_of(position),
            hovertemplate=f"{run}<br>%{{x}} %{{y:.1f}} %<extra></extra>",
        )
    figure.update_layout(barmode="group")
    figure.update_yaxes(ticksuffix=" %", range=[0, 103], title="percent")
    return calm(figure, height=320)
