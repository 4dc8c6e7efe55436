"""Charts of attention scores: per group, and the propagated score with its threshold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from slim_core.evaluation.charts.groups import MOST, empty_note, left_out_note
from slim_core.evaluation.charts.layout import BLUE, INK, ORANGE, base_layout, colour_of, have_colours

ABOVE_BARS = 1.15  # of the highest bar, which the threshold may stand in: room for what is written beside it
N_BINS = 40
NO_SCORES = "no scored images"


def group_scores(frame: pd.DataFrame) -> go.Figure:
    """Mean attention precision and AIoU of each group; of more than MOST groups those with the lowest precision. Groups
    without a scored image take no room, and the axis says so.

    ``frame``: one row a group with name, n, n_scored (images with a mask), attention_precision, aiou (0..1, NaN
    where no image of the group has a mask).
    """
    is_scored = frame["n_scored"] > 0
    note = left_out_note(int(is_scored.sum())) + empty_note(frame.loc[~is_scored, "name"].tolist(), NO_SCORES)
    frame = frame[is_scored]
    if len(frame) > MOST:
        frame = frame.sort_values("attention_precision", kind="stable").head(MOST)
    figure = go.Figure()
    for column, name, colour in (
        ("attention_precision", "Attention precision", BLUE),
        ("aiou", "AIoU", ORANGE),
    ):
        figure.add_bar(
            y=frame["name"],
            x=frame[column] * 100,
            name=name,
            orientation="h",
            marker_color=colour,
            customdata=np.stack([frame["n_scored"], frame["n"]], axis=-1) if len(frame) else None,
            hovertemplate="%{y}<br>" + name + " %{x:.1f} %<br>over %{customdata[0]} of %{customdata[1]} images",
        )
    return base_layout(
        figure,
        height=120 + 52 * max(len(frame), 1),
        x={"range": [0, 103], "title": f"mean of the images{note}", "ticksuffix": " %"},
        y={"autorange": "reversed", "automargin": True},
    )


def score_histogram(frame: pd.DataFrame, threshold: float | None = None, above: str = "kept") -> go.Figure:
    """Propagated score of every image, stacked by class, with the threshold and what the images right of it are.

    More classes than there are colours all have the same one.

    ``frame``: score (0..1, NaN = not scored) and class (name), one row an image. Of a categorical, each class has the
    colour of its place, as on every other page.
    """
    if not have_colours(len(frame["class"].astype("category").cat.categories)):
        frame = frame.assign(**{"class": "all classes"})
    edges = np.linspace(0, 1, N_BINS + 1)
    figure, stacked = go.Figure(), np.zeros(N_BINS)
    for position, (name, part) in enumerate(frame.groupby("class", sort=True, observed=False)):
        if part.empty:
            continue
        counts, _ = np.histogram(part["score"].dropna(), bins=edges)
        stacked += counts
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=1 / N_BINS,
            name=str(name),
            marker_color=colour_of(position),
            hovertemplate=f"{name}<br>score %{{x:.2f}}<br>%{{y}} images",
        )
    if threshold is not None:
        label = f"{above} from {threshold:.2f}"
        figure.add_vline(x=threshold, line_color=INK, line_width=2, annotation_text=label)
    return base_layout(
        figure,
        height=300,
        x={"range": [0, 1], "title": "propagated score"},
        y={"title": "images", "range": [0, ABOVE_BARS * max(1.0, stacked.max())]},
        barmode="stack",
        bargap=0,
    )
