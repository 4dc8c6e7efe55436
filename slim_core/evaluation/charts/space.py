"""An attention space as a Plotly scatter: hover, legend, toolbar and lasso, in a notebook or on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from slim_core.data.groups import NO_GROUP
from slim_core.evaluation.charts.layout import CIVIDIS, UNKNOWN, base_layout, colour_of
from slim_core.formatting import NO_BREAK, percent

MOST = 50_000  # points that are drawn: above, a browser lags behind the pointer
SVG_UP_TO = 3_000  # points of a space that are drawn in any browser; more need WebGL, or the browser lags as well
HEIGHT_PX = 560
_SMALL_ABOVE = 5_000  # points
_SEED = 0  # of a sample
_HOVER = ("row", "label_name", "group", "prediction_name")  # columns named on hover, where they are there
_RATES = ("confidence", "attention_precision", "aiou")


def space_scatter(
    frame: pd.DataFrame,
    by: str,
    *,
    title: str = "",
    most: int = MOST,
    seed: int = _SEED,
) -> go.Figure:
    """Every image as a point; above ``most`` points a seeded sample, which the figure says.

    The first entry of each point's customdata is its position in ``frame``, so that a lasso can be read back.

    Args:
        frame: one row an image with x, y, the column ``by``, and for the hover what it has of row, label_name, group,
            prediction_name, confidence, attention_precision, aiou.
        by: column that gives the colour: floats on a scale from 0 to 1 (NaN = unknown), all else as categories.
        title: above the plot.
        most: points drawn at most.
        seed: of the sample.
    """
    shown = _sample(len(frame), most, seed)
    part = frame.iloc[shown].assign(position=shown)
    figure = go.Figure()
    draw = _scale if pd.api.types.is_float_dtype(frame[by]) else _categories
    for trace in draw(part, by, _size(len(part))):
        figure.add_trace(trace)
    note = "" if len(part) == len(frame) else f"a sample of {len(part):,} of {len(frame):,} images, seed {seed}"
    return _laid_out(figure, title, note)


def spaces_scatter(frames: Sequence[pd.DataFrame], titles: Sequence[str], by: str) -> go.Figure:
    """The spaces of several models side by side, with one legend: a click hides a category in all of them.

    Args:
        frames: as of ``space_scatter``, with row; ``by`` holds categories. Above ``MOST`` images the same seeded sample
            of their rows in each.
        titles: above each.
        by: column that gives the colour.
    """
    rows = np.unique(np.concatenate([frame["row"].to_numpy() for frame in frames]))
    sampled = rows[_sample(len(rows), MOST, _SEED)]
    colours = _colours(pd.concat([frame[by] for frame in frames]))
    note = "" if len(sampled) == len(rows) else f"a sample of {len(sampled):,} of {len(rows):,} images, seed {_SEED}"
    figure = make_subplots(1, len(frames), horizontal_spacing=0.03, subplot_titles=list(map(_as_written, titles)))
    for column, frame in enumerate(frames, 1):
        part = frame[frame["row"].isin(sampled)]
        for trace in _categories(part.assign(position=part.index), by, _size(len(part)), colours):
            listed = {one.name for one in figure.data}
            trace.update(legendgroup=trace.name, showlegend=trace.name not in listed)
            figure.add_trace(trace, row=1, col=column)
    _laid_out(figure, "", note)
    for number in range(2, len(frames) + 1):
        figure.update_yaxes(scaleanchor=f"x{number}", col=number)
    return figure.update_layout(dragmode="zoom", legend={"itemsizing": "constant"})


def _as_written(text: str) -> str:
    """A name as Plotly takes it: it knows no entity of a quotation mark, and would show "&quot;"."""
    return escape(text, quote=False)


def _size(n: int) -> int:
    """The size of a point, in pixels."""
    return 6 if n <= _SMALL_ABOVE else 3


def _sample(n: int, most: int, seed: int) -> np.ndarray:
    """(min(n, most),) positions, ascending."""
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def _colours(column: pd.Series) -> dict[str, str]:
    """Category -> its colour, the unknown one left out; in the order of a categorical, else sorted."""
    names = map(str, column.astype("category").cat.categories)
    return {name: colour_of(k) for k, name in enumerate(names) if name != NO_GROUP}


def _categories(
    part: pd.DataFrame, by: str, size: int, colours: Mapping[str, str] | None = None
) -> list[go.Scatter | go.Scattergl]:
    """A trace each, which the legend shows and hides."""
    names = part[by].astype(object).fillna(NO_GROUP).astype(str)
    if colours is None:
        colours = _colours(part[by])
    listed = [name for name in colours if (names == name).any()]
    listed += [name for name in names.unique() if name not in colours]
    return [
        _trace(part, names == name, name, {"size": size, "color": colours.get(name, UNKNOWN), "opacity": 0.8})
        for name in listed
    ]


def _scale(part: pd.DataFrame, by: str, size: int) -> list[go.Scatter | go.Scattergl]:
    """What is unknown below what is known."""
    known = part[by].notna()
    bar = {"thickness": 12, "title": {"text": by.replace("_", " ")}}
    scale = {"color": part[by][known], "colorscale": [list(stop) for stop in CIVIDIS], "cmin": 0.0, "cmax": 1.0}
    traces = (
        [_trace(part, ~known, "unknown", {"size": size, "color": UNKNOWN, "opacity": 0.5})] if (~known).any() else []
    )
    return [*traces, _trace(part, known, by.replace("_", " "), {"size": size, "colorbar": bar, **scale})]


def _whole_percent(rate: float) -> str:
    """Short: it is written into a file once a point, where a space of no break takes six characters."""
    return percent(rate, 0).replace(NO_BREAK, " ")


def _trace(every: pd.DataFrame, which: pd.Series, name: str, marker: dict[str, Any]) -> go.Scatter | go.Scattergl:
    """``which``: of the rows, those of this trace."""
    part = every[which]
    texts = {column: part[column].astype(str).map(_as_written).to_numpy() for column in _HOVER if column in part}
    texts |= {column: part[column].map(_whole_percent).to_numpy() for column in _RATES if column in part}
    alike = {column: values[0] for column, values in texts.items() if len(set(values)) == 1}
    differ = [column for column in texts if column not in alike]
    shown = alike | {column: f"%{{customdata[{k}]}}" for k, column in enumerate(differ, 1)}  # alike: written once
    lines = [f"{column.replace('_name', '').replace('_', ' ')} {shown[column]}" for column in texts]
    custom = np.column_stack([part["position"].to_numpy().astype(object), *(texts[column] for column in differ)])
    scatter = go.Scatter if len(every) <= SVG_UP_TO else go.Scattergl
    return scatter(
        x=part["x"], y=part["y"], mode="markers", name=name, marker=marker, customdata=custom,
        hovertemplate="<br>".join(lines) + "<extra>%{fullData.name}</extra>",
        selected={"marker": {"opacity": 1.0}}, unselected={"marker": {"opacity": 0.12}},
    )  # fmt: skip


def _laid_out(figure: go.Figure, title: str, note: str) -> go.Figure:
    base_layout(figure, HEIGHT_PX)
    text = _as_written(title) + (f"<br><sup>{note}</sup>" if note else "")
    figure.update_layout(
        height=HEIGHT_PX, title={"text": text, "x": 0, "y": 0.92, "font": {"size": 15}},
        dragmode="lasso", showlegend=len(figure.data) > 1,
        legend={"orientation": "v", "x": 1.01, "y": 1, "yanchor": "top", "yref": "paper"},  # below the toolbar
        margin={"t": 72},
    )  # fmt: skip
    for axis in (figure.update_xaxes, figure.update_yaxes):
        axis(showticklabels=False, showgrid=False, zeroline=False)
    return figure.update_yaxes(scaleanchor="x", scaleratio=1)
