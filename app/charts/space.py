"""How the points of an attention space are coloured: one byte a point and a legend, which is all a browser needs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from app.charts.palette import CIVIDIS, RIGHT, UNKNOWN, UNSURE, WRONG, colour_of

LEVELS = 256  # of a continuous scale: 0 is "unknown", 1..255 run from low to high


@dataclass(frozen=True)
class LegendEntry:
    """One line of a legend: the code of its points, their colour, what it means, and how many carry it."""

    code: int
    colour: str
    name: str
    n: int


@dataclass(frozen=True)
class Colouring:
    """The colours of N points: ``codes`` (N,) uint8 into ``scale`` (Plotly's colour scale over 0..levels-1)."""

    title: str
    codes: np.ndarray
    levels: int
    scale: tuple[tuple[float, str], ...]
    legend: tuple[LegendEntry, ...]
    low: float | None = None  # ends of a continuous scale, else None
    high: float | None = None

    def wire(self) -> dict[str, Any]:
        """What is sent to the page: JSON, the codes as base64 (137 kB for 100,000 points)."""
        return {
            "title": self.title,
            "codes": base64.b64encode(np.ascontiguousarray(self.codes, np.uint8).tobytes()).decode("ascii"),
            "levels": self.levels,
            "scale": [list(stop) for stop in self.scale],
            "legend": [asdict(entry) for entry in self.legend],
            "low": self.low,
            "high": self.high,
        }


def categories(title: str, index: np.ndarray, names: Sequence[str], colours: Sequence[str] | None = None) -> Colouring:
    """Colour by category. ``index`` (N,) int, -1 = unknown; ``names`` of the categories 0..K-1 (at most 254)."""
    colours = list(colours or (colour_of(k) for k in range(len(names))))
    codes = np.where((index >= 0) & (index < len(names)), index, len(names)).astype(np.uint8)
    counts = np.bincount(codes, minlength=len(names) + 1)
    listed = [*zip(colours, names, strict=True), (UNKNOWN, "unknown")]
    legend = tuple(LegendEntry(k, c, n, int(counts[k])) for k, (c, n) in enumerate(listed) if counts[k])
    return Colouring(title, codes, len(listed), _steps([colour for colour, _ in listed]), legend)


def continuous(title: str, values: np.ndarray, low: float = 0.0, high: float = 1.0) -> Colouring:
    """Colour by a number. ``values`` (N,) float, NaN = unknown, clipped to low..high."""
    known = np.isfinite(values)
    share = np.clip((np.where(known, values, low) - low) / ((high - low) or 1.0), 0, 1)
    codes = np.where(known, 1 + np.rint(share * (LEVELS - 2)), 0).astype(np.uint8)
    start = 0.5 / (LEVELS - 1)
    ramp = [(start + (1 - start) * at, colour) for at, colour in CIVIDIS]
    missing = int((~known).sum())
    legend = (LegendEntry(0, UNKNOWN, "unknown", missing),) if missing else ()
    return Colouring(title, codes, LEVELS, ((0.0, UNKNOWN), (start, UNKNOWN), *ramp), legend, low, high)


def answers(values: np.ndarray) -> Colouring:
    """Colour by answer. ``values`` (N,): 1 right, 0 wrong, -1 unsure, anything else not asked."""
    index = np.select([values == 1, values == 0, values == -1], [0, 1, 2], default=-1)
    names = ("attention right", "attention wrong", "unsure")
    return named_unknown(categories("Answer", index, names, (RIGHT, WRONG, UNSURE)), "not asked")


def named_unknown(colouring: Colouring, name: str) -> Colouring:
    """The same colours, with another name for what has none of the categories."""
    legend = tuple(replace(entry, name=name) if entry.name == "unknown" else entry for entry in colouring.legend)
    return replace(colouring, legend=legend)


def _steps(colours: Sequence[str]) -> tuple[tuple[float, str], ...]:
    """A colour scale of equal steps, one a category."""
    n = len(colours)
    return tuple(stop for k, colour in enumerate(colours) for stop in ((k / n, colour), ((k + 1) / n, colour)))
