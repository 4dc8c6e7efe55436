"""What answers in the fit of a last layer ask of the model that is refitted, as far as finished runs tell. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.errors import SpecRefusedError
from slim_core.steps.answers import Answers, usable_answers
from slim_core.steps.head_layer import sees_mean_of_map
from slim_core.steps.specs import TrainSpec
from slim_core.steps.train.refit_parents import features_from
from slim_core.store.results import AttentionResult
from slim_core.training.last_layer.answered import no_region

if TYPE_CHECKING:
    from slim_core.store import Store

Rows = NDArray[np.int64]


def answers_about_training(spec: TrainSpec, store: Store) -> tuple[str, Rows, Answers] | None:
    """(space, rows (m,), values (m,)) of the answers that enter the fit; None: nobody is asked.

    Raises:
        AnswersRefusedError: nobody has said right or wrong.
        SpecRefusedError: they are about images of another split, about the attention of another network than is
            refitted, or of a layer that the head does not see; or each is about an image with an empty map; or a run
            between the space and its model was deleted.
        NotFoundError: the campaign or its space is gone.
    """
    asked = spec.answers() if spec.mode == "last-layer" else None
    if asked is None:
        return None
    space, rows, values = usable_answers(store, asked, "train")
    _require_regions(str(spec.reference), space, store)
    shown = attention_shown(space, store)
    if not shown.maps(shown.positions(rows[values >= 0])).any():
        raise no_region()
    return space, rows, values


def attention_shown(space: str, store: Store) -> AttentionResult:
    """The maps that people were shown of the images of a space."""
    return AttentionResult(store.artifacts.folder(store.runs.fetch(space).spec["attention"]))


def _require_regions(refitted: str, space: str, store: Store) -> None:
    """Refuse where people were shown the map of another network than is refitted, or of another layer."""
    shown = store.lineage.reference_of(store.runs.fetch(space))
    if features_from(refitted, store) != features_from(shown.id, store):
        raise SpecRefusedError(
            f"People answered about the attention of the model {shown.id}, of which {refitted} is no refit: refit "
            f"{shown.id}, or ask about the attention of {refitted}."
        )
    seen = store.runs.fetch(store.runs.fetch(space).spec["attention"])
    if not sees_mean_of_map(seen, store):
        raise SpecRefusedError(
            f"The head of {shown.spec['model']} does not see the mean of the maps of {seen.id}, about which people "
            f"answered: ask about maps of the layer before its head, or refit without answers."
        )
