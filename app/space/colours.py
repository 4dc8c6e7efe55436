"""The ways to colour the images of a space."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from app import session
from app.services.results import space_data
from app.services.results.space_data import SpaceData
from slim_core.data.groups import Grouping
from slim_core.evaluation.charts.layout import ANSWERS, BLUE, GROUPS, INK, RIGHT, UNKNOWN, WRONG, ramp
from slim_core.metrics import AIOU, ATTENTION_PRECISION
from slim_core.store.results import SubsetResult

SEVERAL = "several tags"
LIVE = ("propagated score", "answer")  # colours that change while people answer
_NUMBERS = {"attention precision": ATTENTION_PRECISION, "AIoU": AIOU, "confidence": "confidence", "loss": "loss"}


@dataclass(frozen=True)
class ShownSpace:
    """A space, and the campaign and curate run it is shown with, where chosen."""

    data: SpaceData
    campaign: str | None = None
    subset: str | None = None

    def names(self) -> list[str]:
        """The colourings that have something to show."""
        scores = self.data.scores
        hidden = set() if self.data.table.has_attributes else {"environment cluster"}  # the estimated groups are that
        hidden |= {name for name, column in _NUMBERS.items() if column not in scores or scores[column].isna().all()}
        if self.campaign is None:
            hidden |= set(LIVE)
        if self.subset is None:
            hidden.add("subset")
        if not session.store().tags.counts(self.data.dataset):
            hidden.add("tag")
        return [name for name in COLOURINGS if name not in hidden]


def colouring(shown: ShownSpace, by: str) -> Colouring:
    """The colours of the n images by one of ``shown.names()``."""
    return COLOURINGS[by](shown)


def _group(shown: ShownSpace) -> Colouring:
    groups = shown.data.groups
    title = "Group (estimated: class x environment)" if groups.estimated else "Group"
    return categories(title, groups.index, groups.names, always=_worst_group(shown, groups))


def _worst_group(shown: ShownSpace, groups: Grouping) -> int:
    """The place of the group with the lowest accuracy, which is the one to look at; -1 where no group is known."""
    n, right = groups.counts(), groups.counts(np.flatnonzero(shown.data.correct))
    rates = np.where(n > 0, right / np.maximum(n, 1), np.inf)
    return int(rates.argmin()) if n.any() else -1


def _outcome(shown: ShownSpace) -> Colouring:
    outcomes = np.where(shown.data.correct, 0, 1)
    return categories("Prediction", outcomes, ["correct", "incorrect"], [RIGHT, WRONG])


def _loss(shown: ShownSpace) -> Colouring:
    """From 0 to what 99 of 100 images stay below, so that one outlier does not take all colours."""
    values = _column(shown, "loss")
    return continuous("Loss", values, 0.0, float(np.nanquantile(values, 0.99)) or 1.0)


def _column(shown: ShownSpace, name: str) -> np.ndarray:
    return shown.data.scores[name].to_numpy(np.float64)


def _subset(shown: ShownSpace) -> Colouring:
    chosen = SubsetResult(session.store().artifacts.folder(str(shown.subset))).images()
    index = np.where(np.isin(shown.data.rows, chosen["row"].to_numpy()), 0, -1)
    return categories("Subset", index, ["chosen"], [BLUE], unknown="not chosen")


def _tag(shown: ShownSpace) -> Colouring:
    """By the one tag an image has; images with several are a category of their own."""
    tags = session.store().tags
    by_row = tags.by_row(shown.data.dataset)
    several = any(len(found) > 1 for found in by_row.values())
    names = [*tags.counts(shown.data.dataset), *([SEVERAL] if several else [])]
    place = {name: k for k, name in enumerate(names)}
    index = np.full(len(shown.data), -1)
    rows = np.fromiter(by_row, np.int64, len(by_row))
    at = space_data.positions_of(shown.data, rows)
    codes = [place[found[0] if len(found) == 1 else SEVERAL] for found in by_row.values()]
    index[at[at >= 0]] = np.asarray(codes, np.int64)[at >= 0]
    return categories("Tag", index, names, unknown="no tag")


COLOURINGS: dict[str, Callable[[ShownSpace], Colouring]] = {
    "group": _group,
    "label": lambda shown: categories("Label", shown.data.labels, shown.data.table.label_names),
    "prediction": lambda shown: categories("Prediction", shown.data.predictions, shown.data.table.label_names),
    "correct or incorrect": _outcome,
    "attention precision": lambda shown: continuous("Attention precision", _column(shown, ATTENTION_PRECISION)),
    "AIoU": lambda shown: continuous("AIoU", _column(shown, AIOU)),
    "propagated score": lambda shown: continuous("Propagated score", space_data.propagated(shown.data, shown.campaign)),
    "answer": lambda shown: answers(space_data.answers(shown.data, shown.campaign)),
    "environment cluster": lambda shown: categories(
        "Environment cluster", shown.data.clusters.index, shown.data.clusters.names
    ),
    "subset": _subset,
    "confidence": lambda shown: continuous(
        "Confidence", _column(shown, "confidence"), 1 / shown.data.table.n_classes, 1.0
    ),
    "loss": _loss,
    "tag": _tag,
}


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
