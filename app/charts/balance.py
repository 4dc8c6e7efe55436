"""Charts of a subset: the balance of groups before and after, and what each cell gives."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.charts.layout import calm
from app.charts.palette import CHOSEN, REPEATED, WHOLE


def group_balance(frame: pd.DataFrame) -> go.Figure:
    """Share of each group in the split and in the subset.

    ``frame``: one row a group with name, before and after (numbers of images).
    """
    figure = go.Figure()
    for column, name, colour in (("before", "whole split", WHOLE), ("after", "subset", CHOSEN)):
        total = max(float(frame[column].sum()), 1.0)
        figure.add_bar(
            y=frame["name"],
            x=frame[column] / total * 100,
            name=name,
            orientation="h",
            marker_color=colour,
            customdata=frame[column],
            hovertemplate="%{y}<br>" + name + ": %{x:.1f} %, %{customdata} images",
        )
    figure.update_xaxes(title="share of the images", ticksuffix=" %", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True)
    return calm(figure, height=110 + 40 * max(len(frame), 1))


def cells(frame: pd.DataFrame) -> go.Figure:
    """What each cell holds and gives.

    ``frame``: one row a cell with cell (name), size, chosen (distinct images) and repeated (images drawn again).
    """
    figure = go.Figure()
    parts = (("chosen", "chosen", CHOSEN), ("repeated", "repeats", REPEATED))
    for column, name, colour in parts:
        figure.add_bar(
            y=frame["cell"].astype(str),
            x=frame[column],
            name=name,
            orientation="h",
            marker_color=colour,
            customdata=frame["size"],
            hovertemplate="cell %{y}<br>%{x} " + name + " of %{customdata} images",
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="images")
    figure.update_yaxes(autorange="reversed", automargin=True, type="category")
    return calm(figure, height=110 + 40 * max(len(frame), 1))
