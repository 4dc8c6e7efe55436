"""What the fit of a last layer asks of the runs that it names, as far as their specs tell. Light: no array is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slim_core.errors import SpecRefusedError
from slim_core.steps.specs import TrainSpec, refits
from slim_core.store.runs.kinds import PASSES

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
