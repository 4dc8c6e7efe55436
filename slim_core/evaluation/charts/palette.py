"""One palette for every chart: Okabe and Ito's colours, which stay apart for colour-blind readers.

One meaning per colour, on every page:

- RIGHT (green) and WRONG (vermilion): an answer, a prediction, a run that ended well or badly; the worst group too.
- UNSURE (orange): neither, and what is drawn a second time. UNKNOWN (grey): not known, or all that is not selected.
- CHOSEN (blue): the selected run, group or subset; WHOLE (grey): what it was before, or came from.
- Groups, clusters and classes take the colours of GROUPS by position: twenty have one of their own.
- Runs side by side keep their colour whatever the baseline: INK and those of RUNS by the runs' names. Above FEW runs a
  colour each says nothing any more: then the baseline stands out, and the rest is grey, named on hover.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from slim_core.store.campaigns import values as answer_values

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
RUNS = (BLUE, ORANGE, SKY, PURPLE, GREEN, VERMILION, OLIVE)
FEW = 8  # runs that can have a colour each

CIVIDIS = ((0, "#00224e"), (0.25, "#434e6c"), (0.5, "#7d7c78"), (0.75, "#bcaf6f"), (1, "#fee838"))


def have_colours(n: int) -> bool:
    """True where each of ``n`` groups or classes has a colour of its own."""
    return n <= len(GROUPS)


def colour_of(position: int) -> str:
    """The colour of the group, class or cluster at a position; UNKNOWN below zero."""
    return UNKNOWN if position < 0 else GROUPS[position % len(GROUPS)]


def run_colours(runs: Sequence[str], baseline: str | None = None) -> dict[str, str]:
    """The colour of each run, by its name: the same against any baseline. Above FEW runs all but the baseline are grey.

    Without a baseline they take RUNS in their order.
    """
    if len(runs) > FEW:
        return {run: INK if run == baseline else GREY for run in runs}
    colours = RUNS if baseline is None else (INK, *RUNS)
    order = list(runs) if baseline is None else sorted(runs)
    return {run: colours[order.index(run) % len(colours)] for run in runs}


def ramp(n: int) -> NDArray[np.float64]:
    """(n, 3) colours of CIVIDIS, evenly spaced: red, green and blue in 0..255."""
    stops, colours = [stop for stop, _ in CIVIDIS], np.array([rgb(colour) for _, colour in CIVIDIS])
    at = np.linspace(0, 1, n)
    return np.stack([np.interp(at, stops, part) for part in colours.T], axis=1)


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue in 0..255 of "#00224e"."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
