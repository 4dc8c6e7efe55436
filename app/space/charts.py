"""How the points of an attention space are coloured: one byte a point and a legend, which is all a browser needs."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from slim_core.evaluation.charts.layout import ANSWERS, GROUPS, INK, UNKNOWN, ramp

LEVELS = 256  # of a continuous scale: 0 is "unknown", 1..255 run from low to high
OTHER = "other"  # what is beyond the colours that can be distinguished
_FREQUENT = [colour for colour in GROUPS if colour != INK]  # beside OTHER, which is drawn in INK


@dataclass(frozen=True)
class LegendEntry:
    """One line of a legend: the code of its points, their colour, what it means, and how many carry it."""

    code: int
    colour: str
    name: str
    n: int


@dataclass(frozen=True)
class Colouring:
    """The colours of N points: ``codes`` (N,) uint8, each a place in ``palette`` ("#rrggbb" texts)."""

    title: str
    codes: np.ndarray
    palette: tuple[str, ...]
    legend: tuple[LegendEntry, ...]
    low: float | None = None  # ends of a continuous scale, else None
    high: float | None = None

    def wire(self) -> dict[str, Any]:
        """What is sent to the page: JSON, the codes deflated in base64 (30 to 130 kB for 100,000 points)."""
        codes = zlib.compress(np.ascontiguousarray(self.codes, np.uint8).tobytes(), 1)
        return {
            "title": self.title,
            "codes": base64.b64encode(codes).decode("ascii"),
            "palette": list(self.palette),
            "legend": [asdict(entry) for entry in self.legend],
            "low": self.low,
            "high": self.high,
        }


def categories(
    title: str,
    index: np.ndarray,
    names: Sequence[str],
    colours: Sequence[str] | None = None,
    *,
    always: int = -1,
    unknown: str = "unknown",
) -> Colouring:
    """Colour by category.

    Args:
        title: of the legend.
        index: (N,) int, a place in ``names``; -1 = unknown.
        names: K of them. Beyond the palette's number, the most frequent keep a colour, and the rest are "other".
        colours: of the names; without them they take the palette's by position.
        always: a place in ``names`` that keeps a colour however rare it is; -1 = none.
        unknown: what the legend calls the points of no category.
    """
    known = (index >= 0) & (index < len(names))
    if len(names) > len(GROUPS) and colours is None:
        index, names, colours = _most_frequent(np.where(known, index, -1), names, always)
    colours = list(colours or GROUPS[: len(names)])
    codes = np.where(known, index, len(names)).astype(np.uint8)
    counts = np.bincount(codes, minlength=len(names) + 1)
    listed = [*zip(colours, names, strict=True), (UNKNOWN, unknown)]
    legend = tuple(LegendEntry(k, c, n, int(counts[k])) for k, (c, n) in enumerate(listed) if counts[k])
    return Colouring(title, codes, tuple(colour for colour, _ in listed), legend)


def _most_frequent(index: np.ndarray, names: Sequence[str], always: int) -> tuple[np.ndarray, list[str], list[str]]:
    """Index (N,), names and colours of the largest categories in their order, and of all others as one."""
    counts = np.bincount(index[index >= 0], minlength=len(names))
    if always >= 0:
        counts[always] = len(index) + 1
    kept = np.sort(np.argsort(-counts, kind="stable")[: len(_FREQUENT)])
    place = np.full(len(names) + 1, len(kept))
    place[kept] = np.arange(len(kept))
    place[-1] = -1  # unknown stays unknown
    return place[index], [*(names[k] for k in kept), OTHER], [*_FREQUENT, INK]


def continuous(title: str, values: np.ndarray, low: float = 0.0, high: float = 1.0) -> Colouring:
    """Colour by a number. ``values`` (N,) float, NaN = unknown, clipped to low..high."""
    known = np.isfinite(values)
    share = np.clip((np.where(known, values, low) - low) / ((high - low) or 1.0), 0, 1)
    codes = np.where(known, 1 + np.rint(share * (LEVELS - 2)), 0).astype(np.uint8)
    missing = int((~known).sum())
    legend = (LegendEntry(0, UNKNOWN, "unknown", missing),) if missing else ()
    return Colouring(title, codes, (UNKNOWN, *_ramp(LEVELS - 1)), legend, low, high)


def _ramp(n: int) -> list[str]:
    """n colours of cividis, evenly spaced."""
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in np.rint(ramp(n)).astype(int).tolist()]


def answers(values: np.ndarray) -> Colouring:
    """Colour by answer. ``values`` (N,): 1 right, 0 wrong, -1 unsure, anything else not asked."""
    places = range(len(ANSWERS))
    index = np.select([values == value for value in ANSWERS], places, default=-1)
    names = ("attention right", "attention wrong", "unsure")
    return categories("Answer", index, names, list(ANSWERS.values()), unknown="not asked")
