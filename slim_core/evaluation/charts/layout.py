"""What every chart shares: Okabe and Ito's colours, margins, legend, names and error bars."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import unescape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from slim_core.formatting import shortened
from slim_core.store.campaigns import consensus as answer_values

ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
OLIVE = "#999933"  # of Paul Tol; a bar of it shows the light interval of a dark page, which YELLOW does not
GREY = "#9AA0A6"
INK = "#6B7680"  # lines and marks that must show on a light and on a dark page; the palette's black would not
RIGHT_TEXT, WRONG_TEXT = "#00684C", "#A84600"  # green and vermilion, dark enough for small type on white

RIGHT, WRONG, UNSURE, UNKNOWN = GREEN, VERMILION, ORANGE, GREY
CHOSEN, WHOLE, REPEATED, WORST = BLUE, GREY, ORANGE, VERMILION
ANSWERS = {answer_values.RIGHT: RIGHT, answer_values.WRONG: WRONG, answer_values.UNSURE: UNSURE}  # as they count
GROUPS = (
    BLUE, ORANGE, SKY, PURPLE, YELLOW, GREEN, VERMILION, INK,  # what follows is less easily told apart, but of its own
    "#882255", "#44AA99", "#7A4FD8", OLIVE, "#A4343A", "#DDCC77", "#1B7F3B", "#E7298A",
    "#5F8DB8", "#A5D732", "#8C6D4F", "#CC6677",
)  # fmt: skip
METHODS = {  # each has its colour on every page; models of other names have the rest
    "reference": INK, "ERM": INK, "SLIM": BLUE, "random": ORANGE, "SLIM without answers": SKY, "oracle": GREEN,
}  # fmt: skip
RUNS = (*dict.fromkeys(METHODS.values()), PURPLE, VERMILION, OLIVE)
FEW = 8  # runs that can have a colour each

CIVIDIS = ((0, "#00224e"), (0.25, "#434e6c"), (0.5, "#7d7c78"), (0.75, "#bcaf6f"), (1, "#fee838"))


def have_colours(n: int) -> bool:
    """True where each of ``n`` groups or classes has a colour of its own."""
    return n <= len(GROUPS)


def colour_of(position: int) -> str:
    """The colour of the group, class or cluster at a position; UNKNOWN below zero."""
    return UNKNOWN if position < 0 else GROUPS[position % len(GROUPS)]


def run_colours(runs: Sequence[str], baseline: str | None = None) -> dict[str, str]:
    """The colour of each run, by its name: that of its method where it has one, whatever the baseline and the order.
    Above FEW runs all but the baseline are grey.
    """
    if len(runs) > FEW:
        return {run: INK if run == baseline else GREY for run in runs}
    found: dict[str, str] = {}
    for run in sorted(runs):
        own = METHODS.get(run.partition(",")[0])
        found |= {run: own} if own is not None and own not in found.values() else {}
    left = iter([colour for colour in RUNS if colour not in found.values()])
    return {run: found.get(run) or next(left) for run in sorted(runs)}


def ramp(n: int) -> NDArray[np.float64]:
    """(n, 3) colours of CIVIDIS, evenly spaced: red, green and blue in 0..255."""
    stops, colours = [stop for stop, _ in CIVIDIS], np.array([rgb(colour) for _, colour in CIVIDIS])
    at = np.linspace(0, 1, n)
    return np.stack([np.interp(at, stops, part) for part in colours.T], axis=1)


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue in 0..255 of "#00224e"."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


LETTERS = 48  # of a name beside an axis or in a legend: a longer one is cut in its middle
MANY, FEWER_LETTERS = 8, 30  # entries of a legend, above which their names are cut shorter
NARROW = 480  # pixels of half a page
ENTRY, LETTER, ROW = 45, 6, 19  # pixels of a legend: an entry without its name, a letter, a row
ROWS = 3  # of a legend, for which the height of a chart has room
_MARKUP = re.compile(r"<(?!/?(?:br|sup|extra)>)")  # Plotly reads tags; these are the ones that charts write themselves
MARGIN = {"l": 8, "r": 8, "t": 40, "b": 8}
LEGEND = {
    "orientation": "h",
    "traceorder": "normal",
    "xanchor": "left",
    "x": 0,
    "yref": "container",
    "yanchor": "top",
    "y": 1,
}
GROUPED: dict[str, Any] = {"barmode": "group", "bargap": 0.25, "bargroupgap": 0.08}  # bars side by side
INTERVAL = {"type": "data", "symmetric": False, "thickness": 1.5, "color": INK, "width": 3}


def base_layout(
    figure: go.Figure, height: int, x: Mapping[str, Any] | None = None, y: Mapping[str, Any] | None = None, **parts: Any
) -> go.Figure:
    """The figure with our margins, its legend above the plot, its names as written, and a height in pixels.

    ``x`` and ``y``: of its axes; ``parts``: what else Plotly calls layout. A legend of many rows takes nothing of the
    plot: the figure is higher by them.
    """
    axes = {name: axis for name, axis in (("xaxis", x), ("yaxis", y)) if axis is not None}
    own = {"margin": MARGIN, "legend": LEGEND, "hoverlabel": {"align": "left"}}
    for name, part in {**axes, **parts, **own}.items():
        figure.layout[name] = part  # update_layout() takes five times as long, to keep what was said of them before
    _names_as_written(figure)
    if not _has_legend(figure):  # the plot takes its room
        figure.layout.margin.t = MARGIN["b"]
    figure.layout.height = height + _room_of_legend(figure)
    return figure


def without_legend(figure: go.Figure) -> go.Figure:
    """A figure of ``base_layout`` that loses its legend, and the room of it: what it says stands beside the chart."""
    figure.layout.height -= _room_of_legend(figure)
    figure.layout.showlegend = False
    return figure


def _has_legend(figure: go.Figure) -> bool:
    """Plotly draws none of a single trace, unless it is asked to."""
    least = 0 if figure.layout.showlegend else 1
    return len(_listed(figure)) > least


def _room_of_legend(figure: go.Figure) -> int:
    """Pixels of the rows for which the height of a chart has no room."""
    return ROW * max(0, legend_rows(figure) - ROWS)


def literal(text: str) -> str:
    """A text that may hold names, as Plotly shows it with their tags."""
    return _MARKUP.sub("&lt;", text)


def cut(text: str, letters: int = LETTERS) -> str:
    """A name cut in its middle, for groups of one class differ at the end; a line "n = 9" below it stays."""
    name, lines, below = text.partition("<br>")
    whole = unescape(name)
    short = shortened(whole, letters)
    return text if short == whole else literal(short) + lines + below


def legend_rows(figure: go.Figure) -> int:
    """Rows of the legend above a plot of half a page, where every entry is as wide as the widest."""
    names = _listed(figure)
    widest = ENTRY + LETTER * max(map(len, names), default=0)
    return -(-len(names) // max(1, NARROW // widest))


def _listed(figure: go.Figure) -> list[str]:
    """The entries of the legend."""
    if figure.layout.showlegend is False:
        return []
    return [trace.name for trace in figure.data if trace.name and trace.showlegend is not False]


def _names_as_written(figure: go.Figure) -> None:
    """Names of classes, groups and runs, of which one may be "<b>bold</b>" and another fill the whole chart."""
    letters = LETTERS if len(_listed(figure)) <= MANY else FEWER_LETTERS
    for trace in figure.data:
        if trace.name:
            trace.name = cut(literal(trace.name), letters)
        for part in ("hovertemplate", "text"):
            if isinstance(trace[part], str):
                trace[part] = literal(trace[part])
            elif _are_names(trace[part]):
                trace[part] = [literal(text) for text in trace[part]]
    for at, axis in (("x", figure.layout.xaxis), ("y", figure.layout.yaxis)):
        axis.title.text = literal(axis.title.text or "") or None
        axis.exponentformat, axis.separatethousands = "none", True  # 0.0005 and 60,000, not 500µ and 60k
        _names_beside(figure, at, axis)


def _names_beside(figure: go.Figure, at: str, axis: Any) -> None:
    """The names along one axis: whole in the hover texts, cut beside the axis. Numbers are names there too: of a class
    that is called 7, or of the group "0, 1", which Plotly would read as 1.
    """
    shown: dict[str, str] = {}
    for trace in figure.data:
        if _are_names(trace[at]):
            trace[at] = [literal(name) for name in trace[at]]
            shown |= {name: cut(name) for name in trace[at]}
            axis.type = "category"
    if any(name != short for name, short in shown.items()):
        axis.update(tickvals=list(shown), ticktext=list(shown.values()))
    elif axis.ticktext is not None:
        axis.ticktext = [cut(literal(text)) for text in axis.ticktext]


def _are_names(values: Iterable[object] | None) -> bool:
    """Whether marks lie at names and not at numbers."""
    return isinstance(next(iter(values), None), str) if values is not None else False


def interval(frame: pd.DataFrame, value: str = "accuracy", low: str = "low", high: str = "high") -> dict[str, Any]:
    """The error bars of a rate with its bounds (columns of ``frame``, 0..1), in percent."""
    above, below = (frame[high] - frame[value]) * 100, (frame[value] - frame[low]) * 100
    return {**INTERVAL, "array": above, "arrayminus": below}
