"""Accuracy of every group of one run, with its interval; and how many images each group has in each split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from slim_core.data.table import SPLITS
from slim_core.evaluation.charts.compared_groups import lowest, told_left_out
from slim_core.evaluation.charts.layout import calm
from slim_core.evaluation.charts.palette import BLUE, INK, SKY, VERMILION, colour_of, tells
from slim_core.metrics import AIOU, ATTENTION_PRECISION

COLUMNS = ["group", "n", "correct", "accuracy", "low", "high", "worst"]
ATTENTION = [ATTENTION_PRECISION, AIOU]


def group_frame(metrics: Mapping[str, Any]) -> pd.DataFrame:
    """One row a group with COLUMNS and ATTENTION; rates in 0..1 (NaN for an empty group, or without masks), ``worst``
    marks the worst group.

    ``metrics``: as from classification_metrics, or a part of it that has at least its groups.
    """
    frame = pd.DataFrame(metrics["groups"], columns=["name", *COLUMNS[1:-1], *ATTENTION])
    frame = frame.rename(columns={"name": "group"})
    frame = frame.astype({"accuracy": float, "low": float, "high": float, **dict.fromkeys(ATTENTION, float)})
    return frame.assign(worst=(frame["accuracy"] == frame["accuracy"].min()) & (frame["accuracy"] < 1))


def group_bars(frame: pd.DataFrame, cells: Sequence[str] | None = None) -> go.Figure:
    """Accuracy per group in percent with its 95 % interval, the worst group in its own colour; of more than MOST groups
    those with the lowest accuracy.

    ``cells``: what a click on each bar opens, carried as the first of its custom data.
    """
    n_groups = len(frame)
    frame = lowest(frame.assign(cell=list(cells) if cells is not None else list(frame["group"])))
    percent = frame[["accuracy", "low", "high"]] * 100
    carried = percent[["low", "high"]].assign(cell=frame["cell"])
    figure = go.Figure()
    figure.add_bar(
        y=[f"{name} (n = {n:,})" for name, n in zip(frame["group"], frame["n"], strict=True)],
        x=percent["accuracy"],
        orientation="h",
        marker={"color": [VERMILION if worst else BLUE for worst in frame["worst"]], "opacity": 0.8},
        error_x={
            "type": "data", "symmetric": False, "thickness": 1.5, "color": INK,
            "array": percent["high"] - percent["accuracy"], "arrayminus": percent["accuracy"] - percent["low"],
        },
        customdata=carried[["cell", "low", "high"]],
        hovertemplate="%{y}<br>%{x:.1f} % (%{customdata[1]:.1f} to %{customdata[2]:.1f})<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=f"accuracy, %{told_left_out(n_groups)}", range=[0, 102])
    figure.update_yaxes(autorange="reversed", automargin=True)
    return calm(figure, 90 + 44 * max(2, len(frame)))


def split_frame(groups: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Groups by row, splits by column, from an import report's list of {split, name, n}; 0 where none."""
    frame = pd.DataFrame(groups, columns=["split", "name", "n"]).rename(columns={"name": "group"})
    names = list(frame["group"].drop_duplicates())
    return frame.pivot_table(index="group", columns="split", values="n", aggfunc="sum", fill_value=0).reindex(
        index=names, columns=list(SPLITS), fill_value=0
    )


def split_shares(frame: pd.DataFrame) -> go.Figure:
    """The share of each group within each split, in percent; ``frame`` as from split_frame.

    More groups than colours tell apart have two by turns and no legend: each is named on hover.
    """
    named = tells(len(frame))
    shares = 100 * frame / frame.sum().clip(lower=1)
    figure = go.Figure()
    for position, group in enumerate(frame.index):
        figure.add_bar(
            y=list(frame.columns), x=shares.loc[group], name=str(group), orientation="h",
            marker={"color": colour_of(position) if named else (BLUE, SKY)[position % 2]}, customdata=frame.loc[group],
            hovertemplate=f"{group}<br>%{{customdata:,}} images, %{{x:.1f}} % of %{{y}}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack", legend_traceorder="normal", showlegend=named)
    told = "" if named else f"<br>each strip is one of {len(frame):,} groups"
    figure.update_xaxes(title=f"share of the split, %{told}", range=[0, 100.5])
    figure.update_yaxes(autorange="reversed")
    return calm(figure, 220)
