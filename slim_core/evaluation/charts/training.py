"""Training curves: the loss, and validation accuracy of every group, by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from slim_core.data.groups import unique_names
from slim_core.evaluation.charts.layout import BLUE, GREY, INK, base_layout, colour_of, have_colours
from slim_core.metrics import groups_of


def history_frame(history: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row an epoch and series: epoch, series ("loss", "average", "worst group", or a group's name), value.

    ``history``: what a train run writes, one dict an epoch with epoch, train_loss and val (the metrics, or None).
    """
    rows: list[tuple[int, str, float]] = []
    for entry in history:
        epoch, val = int(entry["epoch"]), entry.get("val") or {}
        named = {"loss": entry.get("train_loss"), "average": val.get("average"), "worst group": val.get("wga")}
        groups = groups_of(val)
        names = unique_names([*named, *(group["name"] for group in groups)])  # a class may be called "loss"
        values = [*named.values(), *(group["accuracy"] for group in groups)]
        rows += [(epoch, series, value) for series, value in zip(names, values, strict=True) if value is not None]
    return pd.DataFrame(rows, columns=["epoch", "series", "value"])


def has_curves(frame: pd.DataFrame) -> bool:
    """Whether there is a loss by epoch: a last layer that is refitted has a single point, and none."""
    return bool((frame["series"] == "loss").any())


def loss_curve(frame: pd.DataFrame, epochs: int, best_epoch: int | None = None) -> go.Figure:
    """The training loss by epoch; ``frame`` as from history_frame, ``epochs``: of the whole training."""
    part = frame[frame["series"] == "loss"]
    figure = go.Figure()
    figure.add_scatter(
        x=part["epoch"], y=part["value"], name="training loss", mode="lines+markers", line={"color": BLUE, "width": 2},
        hovertemplate="epoch %{x}<br>loss %{y:.4f}<extra></extra>",
    )  # fmt: skip
    return _by_epoch(figure, epochs, best_epoch, {"title": "training loss", "rangemode": "tozero"})


def accuracy_curves(frame: pd.DataFrame, epochs: int, best_epoch: int | None = None) -> go.Figure:
    """Validation accuracy of every group (thin), the average (dashed) and the worst group (thick), in percent.

    More groups than there are colours are thin grey lines without a legend, named on hover.
    """
    figure = go.Figure()
    groups = [name for name in frame["series"].drop_duplicates() if name not in ("loss", "average", "worst group")]
    lines = {name: {"color": colour_of(position), "width": 1.5} for position, name in enumerate(groups)}
    named = have_colours(len(groups))
    if not named:
        lines = dict.fromkeys(groups, {"color": "rgba(154,160,166,0.35)", "width": 1})
    strong = GREY if named else INK
    lines |= {"average": {"color": strong, "width": 2, "dash": "dash"}, "worst group": {"color": strong, "width": 4}}
    summary = ("worst group", "average")
    for name in (*summary, *groups) if named else (*groups, *summary):  # the last one drawn lies on top
        part = frame[frame["series"] == name]
        if len(part):
            figure.add_scatter(
                x=part["epoch"], y=part["value"] * 100, name=name, line=lines[name],
                showlegend=named or name in summary,
                mode="lines" if len(part) > 1 else "markers",
                hovertemplate=f"{name}<br>epoch %{{x}}<br>%{{y:.1f}} %<extra></extra>",
            )  # fmt: skip
    accuracy = {"title": "validation accuracy, %", "range": [-12, 102], "tick0": 0, "dtick": 20}
    return _by_epoch(figure, epochs, best_epoch, accuracy, at="bottom")  # below 0, where no curve is


def _by_epoch(figure: go.Figure, epochs: int, best_epoch: int | None, y: dict[str, Any], at: str = "top") -> go.Figure:
    margin = 0.02 * epochs + 0.05  # the axis holds all epochs to come, so that nothing jumps while they arrive
    ticks = {"tick0": 0, "dtick": max(1, math.ceil(epochs / 10))}
    if best_epoch is not None:
        line = {"color": GREY, "width": 1, "dash": "dot"}
        side = f"{at} left" if best_epoch > epochs / 2 else f"{at} right"  # inside the plot
        figure.add_vline(x=best_epoch, line=line, annotation_text="kept", annotation_position=side)
    return base_layout(figure, 320, x={"title": "epoch", **ticks, "range": [1 - margin, epochs + margin]}, y=y)
