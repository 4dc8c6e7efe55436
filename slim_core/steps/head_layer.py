"""Whether the features of the whole image are of the layer that the maps come from, as finished runs tell. Light."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store.results import ModelResult

if TYPE_CHECKING:
    from slim_core.store import Store
    from slim_core.store.runs.rows import Run


def require_head_on_map(space: Run, store: Store) -> None:
    """Refuse environments that answers find where the head of the network does not see the mean of the map.

    An environment is then a mixture of what lies outside the attention and of the whole image, weighed by the answers:
    of two layers, as of DenseNet, whose head sees its map behind a ReLU, images are told apart by their answers alone.

    Raises:
        SpecRefusedError: the head sees other values than the mean of the map.
    """
    seen = store.runs.find(space.spec["attention"])
    if seen is not None and not sees_mean_of_map(seen, store):
        raise SpecRefusedError(
            f"The head of {store.runs.fetch(seen.spec['model']).spec['model']} does not see the mean of the map that "
            f"{seen.id} has taken, so what lies outside the attention cannot be put beside the whole image: take the "
            f"environments of the space (environments=space), or outside and inside wrong attention "
            f"(environments=both)."
        )


def sees_mean_of_map(seen: Run, store: Store) -> bool:
    """Whether the head of a network sees the mean of the map of an attention pass, as far as its facts tell.

    Without a linear head, the whole image is the mean of the map; of a model that was deleted since nothing is known.
    """
    try:
        facts = ModelResult(store.artifacts.folder(seen.spec["model"])).network
    except NotFoundError:
        return True
    if facts is None or facts.head is None:
        return True
    return seen.spec.get("target_layer") in (None, facts.target_layer) and facts.path == "forward"
