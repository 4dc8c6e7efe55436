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
    if seen is None:
        return  # the step says so
    try:
        facts = ModelResult(store.artifacts.folder(seen.spec["model"])).network
    except NotFoundError:  # deleted since: nothing is known of it
        return
    if facts is None or facts.head is None:  # without a linear head, the whole image is the mean of the map
        return
    is_its_own = seen.spec.get("target_layer") in (None, facts.target_layer)
    if not is_its_own or facts.path != "forward":
        raise SpecRefusedError(
            f"The head of {store.runs.fetch(seen.spec['model']).spec['model']} does not see the mean of the map that "
            f"{seen.id} has taken, so what lies outside the attention cannot be put beside the whole image: take the "
            f"environments of the space (environments=space), or outside and inside wrong attention "
            f"(environments=both)."
        )
