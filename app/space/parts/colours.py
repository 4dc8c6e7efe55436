"""The ways to colour the images of a space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app import session
from app.services.results import space_data
from app.services.results.space_data import SpaceData
from app.space import charts as colours
from app.space.charts import Colouring
from slim_core.data.groups import Grouping
from slim_core.evaluation.charts.layout import BLUE, RIGHT, WRONG
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
    return colours.categories(title, groups.index, groups.names, always=_worst_group(shown, groups))


def _worst_group(shown: ShownSpace, groups: Grouping) -> int:
    """The place of the group with the lowest accuracy, which is the one to look at; -1 where no group is known."""
    n, right = groups.counts(), groups.counts(np.flatnonzero(shown.data.correct))
    rates = np.where(n > 0, right / np.maximum(n, 1), np.inf)
    return int(rates.argmin()) if n.any() else -1


def _label(shown: ShownSpace) -> Colouring:
    return colours.categories("Label", shown.data.labels, shown.data.table.label_names)


def _prediction(shown: ShownSpace) -> Colouring:
    return colours.categories("Prediction", shown.data.predictions, shown.data.table.label_names)


def _outcome(shown: ShownSpace) -> Colouring:
    outcomes = np.where(shown.data.correct, 0, 1)
    return colours.categories("Prediction", outcomes, ["correct", "incorrect"], [RIGHT, WRONG])


def _precision(shown: ShownSpace) -> Colouring:
    return colours.continuous("Attention precision", _column(shown, ATTENTION_PRECISION))


def _aiou(shown: ShownSpace) -> Colouring:
    return colours.continuous("AIoU", _column(shown, AIOU))


def _confidence(shown: ShownSpace) -> Colouring:
    return colours.continuous("Confidence", _column(shown, "confidence"), 1 / shown.data.table.n_classes, 1.0)


def _loss(shown: ShownSpace) -> Colouring:
    """From 0 to what 99 of 100 images stay below, so that one outlier does not take all colours."""
    values = _column(shown, "loss")
    return colours.continuous("Loss", values, 0.0, float(np.nanquantile(values, 0.99)) or 1.0)


def _column(shown: ShownSpace, name: str) -> np.ndarray:
    return shown.data.scores[name].to_numpy(np.float64)


def _propagated(shown: ShownSpace) -> Colouring:
    return colours.continuous("Propagated score", space_data.propagated(shown.data, shown.campaign))


def _answer(shown: ShownSpace) -> Colouring:
    return colours.answers(space_data.answers(shown.data, shown.campaign))


def _cluster(shown: ShownSpace) -> Colouring:
    found = shown.data.clusters
    return colours.categories("Environment cluster", found.index, found.names)


def _subset(shown: ShownSpace) -> Colouring:
    chosen = SubsetResult(session.store().artifacts.folder(str(shown.subset))).images()
    index = np.where(np.isin(shown.data.rows, chosen["row"].to_numpy()), 0, -1)
    return colours.categories("Subset", index, ["chosen"], [BLUE], unknown="not chosen")


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
    return colours.categories("Tag", index, names, unknown="no tag")


COLOURINGS: dict[str, Callable[[ShownSpace], Colouring]] = {
    "group": _group,
    "label": _label,
    "prediction": _prediction,
    "correct or incorrect": _outcome,
    "attention precision": _precision,
    "AIoU": _aiou,
    "propagated score": _propagated,
    "answer": _answer,
    "environment cluster": _cluster,
    "subset": _subset,
    "confidence": _confidence,
    "loss": _loss,
    "tag": _tag,
}
