"""Charts of a subset: the balance of groups before and after, and what each cell gives."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from slim_core.data.groups import NO_GROUP
from slim_core.evaluation.charts.groups import MOST, empty_note
from slim_core.evaluation.charts.layout import CHOSEN, REPEATED, WHOLE, base_layout

FEW = 6  # images of a cell, below which an axis would have parts of images


def group_balance(frame: pd.DataFrame) -> go.Figure:
    """Share of each group in the split and in the subset; of more than MOST groups those whose share changes most.

    ``frame``: one row a group with name, before and after (numbers of images). Groups without images,
    as many estimated ones are, take no room, and the axis says so.
    """
    empty = frame.loc[frame["before"] == 0, "name"].tolist()
    frame = frame[frame["before"] > 0]
    n_groups, totals = int((frame["name"] != NO_GROUP).sum()), frame[["before", "after"]].sum().clip(lower=1)
    if n_groups > MOST:
        change = (frame["after"] / totals["after"] - frame["before"] / totals["before"]).abs()
        frame = frame.loc[change.nlargest(MOST).index]
    figure = go.Figure()
    for column, name, colour in (("before", "whole split", WHOLE), ("after", "subset", CHOSEN)):
        figure.add_bar(
            y=frame["name"],
            x=frame[column] / totals[column] * 100,
            name=name,
            orientation="h",
            marker_color=colour,
            customdata=frame[column],
            hovertemplate="%{y}<br>" + name + ": %{x:.1f} %, %{customdata} images",
        )
    left_out = "" if n_groups <= MOST else f"<br>the {MOST} of {n_groups:,} groups that change most"
    return base_layout(
        figure,
        height=110 + 40 * max(len(frame), 1),
        x={"title": f"share of the images{left_out}{empty_note(empty)}", "ticksuffix": " %", "rangemode": "tozero"},
        y={"autorange": "reversed", "automargin": True},
    )


def cells(frame: pd.DataFrame) -> go.Figure:
    """Images of each cell, chosen and repeated; of more than MOST cells those with the most repeats, then the smallest.

    ``frame``: one row a cell with cell (name), size, chosen (distinct images) and repeated (images drawn again).
    """
    n_cells = len(frame)
    if n_cells > MOST:
        frame = frame.sort_values(["repeated", "size"], ascending=[False, True], kind="stable").head(MOST)
    figure = go.Figure()
    parts = (("chosen", "chosen", CHOSEN), ("repeated", "repeats", REPEATED))
    for column, name, colour in parts:
        figure.add_bar(
            y=frame["cell"].astype(str),
            x=frame[column],
            name=name,
            orientation="h",
            marker_color=colour,
            customdata=frame[["chosen", "size", "repeated"]],
            hovertemplate="%{y}<br>%{customdata[0]} of %{customdata[1]} images, %{customdata[2]} repeats",
        )
    few = {"dtick": 1} if (frame["chosen"] + frame["repeated"]).max() < FEW else {}
    left_out = "" if n_cells <= MOST else f"<br>the {MOST} of {n_cells:,} cells with the most repeats"
    return base_layout(
        figure,
        height=110 + 40 * max(len(frame), 1),
        x={"title": f"images{left_out}", **few},
        y={"autorange": "reversed", "automargin": True},
        barmode="stack",
    )
