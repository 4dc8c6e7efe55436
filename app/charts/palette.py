"""One palette for every chart: Okabe and Ito's colours, which stay apart for colour-blind readers.

One meaning per colour: green is right, vermilion is wrong, orange is unsure, grey is unknown, blue is the run looked
at. Groups, clusters and classes take the colours of GROUPS by position, everywhere the same.
"""

from __future__ import annotations

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#9AA0A6"
INK = "#6B7680"  # lines and marks that must show on a light and on a dark page

RIGHT, WRONG, UNSURE, UNKNOWN = GREEN, VERMILION, ORANGE, GREY
GROUPS = (BLUE, ORANGE, SKY, PURPLE, YELLOW, GREEN, VERMILION, BLACK)

CIVIDIS = ((0, "#00224e"), (0.25, "#434e6c"), (0.5, "#7d7c78"), (0.75, "#bcaf6f"), (1, "#fee838"))


def colour_of(position: int) -> str:
    """The colour of the group, class or cluster at a position; UNKNOWN below zero."""
    return UNKNOWN if position < 0 else GROUPS[position % len(GROUPS)]
