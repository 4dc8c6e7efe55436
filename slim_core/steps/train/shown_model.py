"""What answers in the loss ask of the network that is trained, as far as finished runs tell. Light: no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slim_core.steps.specs import TrainSpec
from slim_core.store.results import ModelResult
from slim_core.training.objectives.answered_attention import no_forward_map, other_network

if TYPE_CHECKING:
    from slim_core.store import Store


def require_shown_network(spec: TrainSpec, space: str, store: Store) -> None:
    """Refuse answers about a network in whose loss they cannot enter, and those about another than is trained.

    ``space``: the one that the answers are about.

    Raises:
        SpecRefusedError: so; or a run between the space and its model was deleted.
        NotFoundError: the files of the model are gone.
    """
    shown = store.lineage.reference_of(store.runs.fetch(space))
    start = store.runs.find(spec.reference) if spec.reference is not None else None
    trained = spec.model if start is None else start.spec["model"]
    if trained != shown.spec["model"]:
        raise other_network(shown.spec["model"], trained)
    network = ModelResult(store.artifacts.folder(shown.id)).network
    if network is not None and network.path == "gradient":
        raise no_forward_map(trained)
