"""What an annotator is shown of an image: its label, the prediction, and what the answers so far make likely."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from app import session
from app.services.results import attention_scores, space_data
from slim_core.store.results import ModelResult

if TYPE_CHECKING:
    from slim_core.store import Campaign, Dataset, Item


ABSENCE = "This class is the absence of something: right is attention on the object, and wrong does not count."


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model says of the n images of an attention pass, its rows ascending."""

    rows: np.ndarray  # (n,) int64
    classes: np.ndarray  # (n,)
    confidences: np.ndarray  # (n,) 0..1
    empty: np.ndarray  # (n,) bool: the map of its class is zero everywhere

    def of(self, row: int) -> tuple[int, float] | None:
        """(class, confidence) of an image; None where the pass has not seen it."""
        at = self._at(row)
        return None if at is None else (int(self.classes[at]), float(self.confidences[at]))

    def has_attention(self, row: int) -> bool:
        """False where the model finds no evidence for the class of the map."""
        at = self._at(row)
        return at is None or not self.empty[at]

    def _at(self, row: int) -> int | None:
        at = int(np.searchsorted(self.rows, row))
        return at if at < len(self.rows) and self.rows[at] == row else None


def attention_of(campaign: Campaign) -> str:
    """The gradcam run whose maps a campaign asks about.

    Raises:
        AnswersRefusedError: the campaign's space was deleted.
    """
    session.store().campaigns.require_space(campaign)
    return _attention_of(campaign)


def _attention_of(campaign: Campaign) -> str:
    """That of the space: a pass of the same maps, scored against newer shapes, may be deleted before it."""
    return space_data.made_from(str(campaign.space_run_id)).id


@lru_cache(maxsize=64)
def frame(run_id: str) -> float | None:
    """What the model of an attention pass sees of an image: ``ImageTransform.share``."""
    store = session.store()
    model = str(store.runs.fetch(run_id).spec["model"])
    return ModelResult(store.artifacts.folder(model)).transform.share


@lru_cache(maxsize=8)
def predictions(run_id: str) -> Predictions:
    """What the model says in a finished attention pass, which never changes."""
    scores = attention_scores.frame(run_id).sort_values("row")
    empty = scores["no_evidence"].to_numpy(bool) if "no_evidence" in scores else np.zeros(len(scores), bool)
    rows, classes, confidences = (scores[name].to_numpy() for name in ("row", "prediction", "confidence"))
    return Predictions(rows, classes, confidences, empty)


def described(
    campaign: Campaign, items: list[Item], dataset: Dataset | None = None, *, guess: bool = False
) -> list[dict[str, Any]]:
    """The items as JSON: id, row, position; unless the campaign is blind: label, prediction, confidence, empty, guess,
    and the guideline of its class.

    The caller has checked that the campaign's space is there. ``dataset``: the campaign's, where the caller has fetched
    it. ``empty``: there is no attention for the class. ``guess``: 1 or 0, what the answers so far say of images like
    this one; null where they say nothing.
    """
    made: list[dict[str, Any]] = [{"id": item.id, "row": item.row, "position": item.position} for item in items]
    if campaign.is_blind:
        return made
    datasets = session.store().datasets
    names = datasets.table_of(dataset or datasets.fetch(campaign.dataset_id)).label_names
    seen = predictions(_attention_of(campaign)) if campaign.space_run_id else None
    likely = _likely(campaign, [item.row for item in items]) if guess and items else [None] * len(items)
    guidelines = dict.fromkeys(campaign.absent, ABSENCE) | campaign.guidelines
    for entry, item, value in zip(made, items, likely, strict=True):
        prediction = seen.of(item.row) if seen else None
        entry |= {"label": names[item.label], "guess": value, "prediction": None, "confidence": None}
        entry["guideline"] = guidelines.get(item.label)
        entry["empty"] = seen is not None and not seen.has_attention(item.row)
        if prediction is not None:
            entry |= {"prediction": names[prediction[0]], "confidence": round(prediction[1], 4)}
    return made


def _likely(campaign: Campaign, rows: list[int]) -> list[int | None]:
    """1 or 0 by the propagated score of each row; None where it has none."""
    from slim_core.annotation.answered_space import answered_space, positions_of

    if campaign.space_run_id is None:
        return [None] * len(rows)
    space = answered_space(session.store(), campaign.id)
    at = positions_of(space.rows, np.array(rows, np.int64))
    scores = np.where(at >= 0, space.scores[at], np.nan)
    return [None if np.isnan(score) else int(score >= 0.5) for score in scores]
