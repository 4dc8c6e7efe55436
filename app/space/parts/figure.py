"""The spaces as Plotly figures: a lasso there makes the same selection, and each can be taken away as HTML."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.services.results.space_data import SpaceData
from app.space.charts import LEVELS, Colouring
from app.ui import chart, download
from app.ui.choosing import selection
from slim_core.evaluation.charts.space import as_html, space_scatter
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    import plotly.graph_objects as go

OWN = "plotly-"  # begins the version of a selection that was made in a figure: it shows that one by itself


def show(data: SpaceData, spaces: Mapping[str, str], colouring: Colouring) -> None:
    """One figure a space, side by side. ``spaces``: name -> title."""
    for column, (name, title) in zip(st.columns(len(spaces)), spaces.items(), strict=True):
        made = figure_of(data, name, title, colouring, _marked(data, name))
        key = f"space-figure-{data.run}-{name}"
        with column:
            chart.show(
                made, key=key, alt=title, toolbar=True, on_select=partial(_take, data, name, key),
                selection_mode=("lasso", "box", "points"),
            )  # fmt: skip
            download.button(
                "Download as HTML", partial(as_html, made), f"{data.run}-{name}.html", "text/html", icon="download",
                key=f"{key}-html",
            )  # fmt: skip
    selection.keep_in_address(data)


def figure_of(data: SpaceData, name: str, title: str, colouring: Colouring, marked: np.ndarray) -> go.Figure:
    """The figure of one space with the colours that the page shows; ``marked``: selected positions."""
    space = SpaceResult(session.store().artifacts.folder(data.run))
    points = np.asarray(space.points(name.removesuffix("_space")))
    frame = data.scores.assign(x=points[:, 0], y=points[:, 1], **{colouring.title: _values(colouring)})
    ends = (colouring.low or 0.0, 1.0 if colouring.high is None else colouring.high)
    colours = {entry.name: entry.colour for entry in colouring.legend}
    return space_scatter(frame, colouring.title, title=title, colours=colours, ends=ends, selected=marked.tolist())


def _values(colouring: Colouring) -> pd.Series:
    """(n,) what the codes of the colours mean: numbers of a scale, or names."""
    if colouring.low is not None and colouring.high is not None:
        share = (colouring.codes.astype(float) - 1) / (LEVELS - 2)
        return pd.Series(
            np.where(colouring.codes > 0, colouring.low + share * (colouring.high - colouring.low), np.nan)
        )
    names = {entry.code: entry.name for entry in colouring.legend}
    return pd.Series([names[code] for code in colouring.codes.tolist()])


def _marked(data: SpaceData, name: str) -> np.ndarray:
    """What a figure marks: the selection, but where it was made in this figure, which must stay as it is then."""
    key = f"space-figure-marked-{data.run}-{name}"
    if not selection.version(data).startswith(f"{OWN}{name}-"):
        st.session_state[key] = selection.positions(data)
    return np.asarray(st.session_state.get(key, np.empty(0, np.int64)))


def _take(data: SpaceData, name: str, key: str) -> None:
    """The points of a lasso, by their positions in the space."""
    points: list[dict[str, Any]] = st.session_state[key]["selection"]["points"]
    positions = np.array([int(point["customdata"][0]) for point in points], np.int64)
    selection.keep(data, positions, f"{OWN}{name}-{secrets.token_hex(6)}")
