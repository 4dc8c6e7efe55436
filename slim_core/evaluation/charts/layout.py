"""Margins, legend and error bars, alike in every chart."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from slim_core.evaluation.charts.palette import INK

INTERVAL = {"type": "data", "symmetric": False, "thickness": 1.5, "color": INK, "width": 3}


def base_layout(figure: go.Figure, height: int) -> go.Figure:
    """The figure with our margins, its legend above the plot, and a height in pixels."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        legend={
            "orientation": "h",
            "traceorder": "normal",
            "xanchor": "left",
            "x": 0,
            "yref": "container",
            "yanchor": "top",
            "y": 1,
        },
        hoverlabel={"align": "left"},
    )
    return figure


def interval(frame: pd.DataFrame, value: str = "accuracy", low: str = "low", high: str = "high") -> dict[str, Any]:
    """The error bars of a rate with its bounds (columns of ``frame``, 0..1), in percent."""
    above, below = (frame[high] - frame[value]) * 100, (frame[value] - frame[low]) * 100
    return {**INTERVAL, "array": above, "arrayminus": below}
