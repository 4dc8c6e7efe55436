"""Attention spaces as scatter plots of our own, with a selection that survives recolouring."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import streamlit as st

from app.routes.assets import asset_url, below, static
from app.space.charts import Colouring

DENSITY_ABOVE = 200_000  # points in view from which their density is drawn
DRAWING = ("points", "webgl_points", "canvas_points", "density", "look")
OWN = ("panel", "pointer", *DRAWING, "geometry", "legend", "card", "tools", "element")
SHARED = ("image_address", "random_id", "elsewhere")
MODULES = (*(f"space/{name}" for name in OWN), *(f"ui/{name}" for name in SHARED))  # what plot.js imports
PRELOADED = "".join(f'<link rel="modulepreload" href="{below(f"/assets/{name}.js")}">' for name in MODULES)
HTML = f"""{PRELOADED}
<div class="slim-space" role="group" aria-label="Attention spaces">
  <div class="slim-space-bar">
    <span class="slim-space-tools" role="toolbar" aria-label="Tools of the spaces"></span>
    <span class="slim-space-status" data-part="status" role="status" aria-live="polite">Loading the points ...</span>
    <button type="button" class="slim-space-clear" title="Esc" hidden>Clear selection</button>
  </div>
  <div class="slim-space-panels"></div>
  <div class="slim-space-legend" role="group" aria-label="Colours"></div>
</div>
"""
_mount = st.components.v2.component(
    "slim_space_plot",
    html=HTML,
    css=static("space/plot.css").read_text(),
    js=static("ui/loader.js").read_text(),
    isolate_styles=False,  # the card beside the pointer may lie over the whole page
)


@dataclass(frozen=True)
class Panel:
    """One space: a key that names its points for good, its title, and the address of its points."""

    key: str
    title: str
    points: str


@dataclass(frozen=True)
class Selection:
    """What is selected of n points: positions, ascending, and what distinguishes one selection from the next."""

    n: int
    positions: np.ndarray
    version: str

    def wire(self) -> dict[str, str]:
        """Version, and one bit a point in base64; empty where nothing is selected."""
        mask = np.zeros(self.n, bool)
        mask[self.positions] = True
        bits = np.packbits(mask, bitorder="little").tobytes() if len(self.positions) else b""
        return {"version": self.version, "bits": base64.b64encode(bits).decode("ascii")}


def show(
    key: str,
    panels: Sequence[Panel],
    colouring: Colouring,
    selection: Selection,
    *,
    card_url: str,
    image_url: str,
    on_select: Callable[[Selection], None],
) -> None:
    """Draw the panels.

    Args:
        key: of the component.
        panels: of the same n points.
        colouring: of the points.
        selection: what the page holds selected; the browser takes it over where it is not its own.
        card_url: address of what is known of a point, with AT where its position goes.
        image_url: address of a thumbnail, with ROW where the row goes.
        on_select: called before the next run with what a person has selected in the browser.
    """
    data = {
        "module": asset_url("space/plot.js"),
        "panels": [asdict(panel) for panel in panels],
        "colouring": colouring.wire(),
        "n": selection.n,
        "above": DENSITY_ABOVE,
        "card": card_url,
        "image": image_url,
        "selection": selection.wire(),
    }
    with st.container(key=f"space-plot-{key}"):  # its room is kept: app/ui/static/page.css
        _mount(key=key, data=data, on_selection_change=lambda: _take(key, selection.n, on_select))


def _take(key: str, n: int, on_select: Callable[[Selection], None]) -> None:
    sent = st.session_state[key].get("selection")
    if sent and sent.get("n") == n:
        on_select(Selection(n, positions(sent, n), str(sent.get("version"))))


def positions(selection: Mapping[str, Any] | None, n: int) -> np.ndarray:
    """The positions (ascending, int64) in a bitset from the browser; none where it is of another number of points."""
    if not selection or selection.get("n") != n or not selection.get("bits"):
        return np.empty(0, np.int64)
    bits = np.frombuffer(base64.b64decode(selection["bits"]), np.uint8)
    return np.flatnonzero(np.unpackbits(bits, bitorder="little")[:n])
