"""Margins, legend and bar gaps, alike in every chart."""

from __future__ import annotations

import plotly.graph_objects as go


def calm(figure: go.Figure, height: int) -> go.Figure:
    """The figure with our margins, its legend above the plot, and a height in pixels."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "left", "x": 0, "traceorder": "normal"},
        hoverlabel={"align": "left"},
    )
    return figure
