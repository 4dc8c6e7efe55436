"""Attention spaces as WebGL scatter plots with a selection that survives recolouring."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from app.charts.space import Colouring
from app.routes.assets import ASSETS, PLOTLY, asset_url

HTML = """
<div class="slim-space" role="group" aria-label="Attention space">
  <div class="slim-space-bar">
    <span class="slim-space-status" role="status" aria-live="polite"></span>
    <button type="button" class="slim-space-clear" hidden>Clear selection</button>
  </div>
  <div class="slim-space-panels"></div>
  <div class="slim-space-legend"></div>
</div>
"""

_mount = st.components.v2.component(
    "slim_space_plot",
    html=HTML,
    css=(ASSETS / "space_plot.css").read_text(),
    js=(ASSETS / "space_plot.js").read_text(),
    isolate_styles=False,  # plotly.js writes its style sheet into the page's head
)


@dataclass(frozen=True)
class Panel:
    """One space: its title and the address of its points."""

    title: str
    points: str


def show(
    key: str,
    panels: Sequence[Panel],
    colouring: Colouring,
    *,
    n: int,
    rows_url: str,
    image_url: str,
    height: int = 460,
) -> np.ndarray:
    """Draw the panels and return the positions selected in them, ascending (empty: nothing is selected).

    Args:
        n: points in each panel.
        rows_url: address of the row of each point, as float32.
        image_url: address of a thumbnail, with ROW where the row goes.
        height: of a panel, in pixels.
    """
    stored = st.session_state.get(f"{key}-kept")  # a page left and entered again finds its selection here
    data = {
        "plotly": asset_url(PLOTLY),
        "panels": [{"title": panel.title, "points": panel.points} for panel in panels],
        "colouring": colouring.wire(),
        "n": n,
        "rows": rows_url,
        "image": image_url,
        "height": height,
        "selection": stored["bits"] if stored and stored["n"] == n else "",
    }
    selection = _mount(key=key, data=data, on_selection_change=_nothing).get("selection")
    if selection is not None:
        st.session_state[f"{key}-kept"] = selection
    return positions(selection or stored, n)


def positions(selection: Mapping[str, Any] | None, n: int) -> np.ndarray:
    """The positions (ascending, int64) in a bitset from the browser; none where it is of another number of points."""
    if not selection or selection.get("n") != n or not selection.get("bits"):
        return np.empty(0, np.int64)
    bits = np.frombuffer(base64.b64decode(selection["bits"]), np.uint8)
    return np.flatnonzero(np.unpackbits(bits, bitorder="little")[:n])


def _nothing() -> None:
    """A callback that only makes Streamlit keep the state."""
