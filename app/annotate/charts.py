"""Charts of a campaign: the candidates on the space, and how much each answer still changes the scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from slim_core.evaluation.charts.layout import BLUE, GREY, INK, base_layout, colour_of
from slim_core.evaluation.charts.space import SVG_UP_TO

MOST_POINTS = SVG_UP_TO  # drawn behind the candidates; more are thinned out evenly


def candidates(points: pd.DataFrame, chosen: pd.DataFrame) -> go.Figure:
    """The images that would be asked about, over all images of the space.

    ``points``: x, y of every image. ``chosen``: x, y, class (name; of a categorical, in the
    colour of its place), place (1 = asked first) and row.
    """
    figure = go.Figure()
    thin = points.iloc[:: max(1, -(-len(points) // MOST_POINTS))]
    behind = {"color": GREY, "size": 3, "opacity": 0.35}
    figure.add_scatter(x=thin["x"], y=thin["y"], mode="markers", marker=behind, name="all images", hoverinfo="skip")
    for position, (name, part) in enumerate(chosen.groupby("class", sort=True, observed=False)):
        if part.empty:
            continue
        figure.add_scatter(
            x=part["x"],
            y=part["y"],
            mode="markers",
            marker={"color": colour_of(position), "size": 9, "line": {"color": "white", "width": 1}},
            name=f"{name} ({len(part)})",
            customdata=np.stack([part["row"], part["place"]], axis=-1),
            hovertemplate="image %{customdata[0]}<br>candidate %{customdata[1]}<extra></extra>",
        )
    return base_layout(
        figure,
        height=380,
        x={"visible": False},
        y={"visible": False, "scaleanchor": "x"},
    )


def convergence(frame: pd.DataFrame) -> go.Figure:
    """Mean absolute change of the propagated scores per answer, in percentage points.

    ``frame``: n_answers and change (0..1).
    """
    figure = go.Figure()
    figure.add_scatter(
        x=frame["n_answers"],
        y=frame["change"] * 100,
        mode="lines+markers",
        line={"color": BLUE, "width": 2},
        marker={"size": 4},
        hovertemplate="after %{x} answers<br>%{y:.2f} points per answer<extra></extra>",
    )
    figure.add_hline(y=0, line_color=INK, line_width=1, opacity=0.4)
    return base_layout(
        figure,
        height=240,
        x={"title": "answers", "rangemode": "tozero"},
        y={"title": "score change per answer (points)", "rangemode": "tozero"},
    )
