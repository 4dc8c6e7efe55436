"""What the fit of a last layer asks of the runs that it names, and answers of the model that is refitted. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.errors import SpecRefusedError
from slim_core.steps.answers import Answers, usable_answers
from slim_core.steps.head_layer import sees_mean_of_map
from slim_core.steps.specs import TrainSpec, refits
from slim_core.store.results import AttentionResult
from slim_core.store.runs.kinds import PASSES
from slim_core.training.last_layer.answered import no_region

if TYPE_CHECKING:
    from slim_core.store import Store


def features_from(model: str, store: Store) -> str:
    """The model whose layers below the head a model has: of a refit, and of one that refits it, the first reference.

    Raises:
        NotFoundError: there is no such run.
    """
    spec = store.runs.fetch(model).spec
    return features_from(spec["reference"], store) if refits(spec) else model


def require_refit_parents(spec: TrainSpec, store: Store) -> None:
    """Refuse parents on which the fit can only fail. Runs that are not there, or of another kind, the store refuses.

    Raises:
        SpecRefusedError: the pass is of a model with other features.
    """
    if spec.mode != "last-layer" or spec.reference is None:
        return
    reference = store.runs.find(spec.reference)
    if reference is None or reference.kind != "train":
        return
    seen = store.runs.find(spec.attention) if spec.attention is not None else None
    if seen is not None and seen.kind in PASSES:
        require_same_features(seen.id, reference.id, store)


def require_same_features(seen: str, reference: str, store: Store) -> None:
    """Refuse a pass over a model that has not the reference's layers below the head.

    Raises:
        SpecRefusedError: the pass is of such a model.
    """
    model = store.runs.fetch(seen).spec["model"]
    if features_from(model, store) != features_from(reference, store):
        raise SpecRefusedError(
            f"The pass {seen} is of the model {model}, not of the reference model {reference}: "
            f"name one of that model, or none."
        )


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
