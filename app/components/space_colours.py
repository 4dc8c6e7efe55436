"""The ways to colour the images of a space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from app import session
from app.charts import space as colours
from app.charts.palette import BLUE, RIGHT, WRONG
from app.charts.space import Colouring
from app.components import space_data
from app.components.space_data import SpaceData
from slim_core.metrics import ATTENTION_PRECISION


@dataclass(frozen=True)
class Seen:
    """A space, and the campaign and curate run it is looked at with, where chosen."""

    data: SpaceData
    campaign: str | None = None
    subset: str | None = None

    def names(self) -> list[str]:
        """The colourings that have something to show."""
        scores, hidden = self.data.scores, set()
        if ATTENTION_PRECISION not in scores or scores[ATTENTION_PRECISION].isna().all():
            hidden.add("attention precision")
        if self.campaign is None:
            hidden |= {"propagated score", "answer"}
        if self.subset is None:
            hidden.add("subset")
        return [name for name in COLOURINGS if name not in hidden]


def colouring(seen: Seen, by: str) -> Colouring:
    """The colours of the n images by one of ``seen.names()``."""
    return COLOURINGS[by](seen)


def _group(seen: Seen) -> Colouring:
    return colours.categories("Group", seen.data.groups.index, seen.data.groups.names)


def _label(seen: Seen) -> Colouring:
    return colours.categories("Label", seen.data.labels, seen.data.table.label_names)


def _prediction(seen: Seen) -> Colouring:
    predicted = seen.data.scores["prediction"].to_numpy(np.int64)
    return colours.categories("Prediction", predicted, seen.data.table.label_names)


def _outcome(seen: Seen) -> Colouring:
    mistaken = np.where(seen.data.scores["correct"].to_numpy(bool), 0, 1)
    return colours.categories("Prediction", mistaken, ["correct", "mistaken"], [RIGHT, WRONG])


def _precision(seen: Seen) -> Colouring:
    return colours.continuous("Attention precision", seen.data.scores[ATTENTION_PRECISION].to_numpy(np.float64))


def _propagated(seen: Seen) -> Colouring:
    return colours.continuous("Propagated score", space_data.propagated(seen.data, seen.campaign))


def _answer(seen: Seen) -> Colouring:
    return colours.answers(space_data.answers(seen.data, seen.campaign))


def _cluster(seen: Seen) -> Colouring:
    return colours.categories("Environment cluster", seen.data.clusters.index, seen.data.clusters.names)


def _subset(seen: Seen) -> Colouring:
    chosen = pd.read_parquet(session.store().artifacts.folder(str(seen.subset)) / "subset.parquet", columns=["row"])
    index = np.where(np.isin(seen.data.rows, chosen["row"].to_numpy()), 0, -1)
    return colours.named_unknown(colours.categories("Subset", index, ["chosen"], [BLUE]), "not chosen")


COLOURINGS: dict[str, Callable[[Seen], Colouring]] = {
    "group": _group,
    "label": _label,
    "prediction": _prediction,
    "correct or mistaken": _outcome,
    "attention precision": _precision,
    "propagated score": _propagated,
    "answer": _answer,
    "environment cluster": _cluster,
    "subset": _subset,
}
