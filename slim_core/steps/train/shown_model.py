"""What answers in the loss or the fit ask of the network that is trained, as far as finished runs tell. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from slim_core.errors import SpecRefusedError
from slim_core.models.names import SMALL_RESNET, SMALL_SIZE
from slim_core.steps.answers import Answers, usable_answers
from slim_core.steps.head_layer import sees_mean_of_map
from slim_core.steps.specs import TrainSpec
from slim_core.steps.specs.train import OF_IMAGES
from slim_core.steps.train.refit_parents import features_from
from slim_core.store.results import AttentionResult, ModelResult
from slim_core.training.last_layer.answered import no_region
from slim_core.training.objectives.answered_attention import no_forward_map, other_network, require_same_images

if TYPE_CHECKING:
    from slim_core.store import Run, Store

Rows = NDArray[np.int64]


def answers_about_training(spec: TrainSpec, store: Store) -> tuple[str, Rows, Answers] | None:
    """(space, rows (m,), values (m,)) of the answers that enter the loss or the fit; None: nobody is asked.

    Raises:
        AnswersRefusedError: nobody has said right or wrong.
        SpecRefusedError: they are about images of another split, about a network in whose loss they cannot enter, or
            about another than is trained, also where that only sees its images otherwise; or, of a last layer, each is
            about an image with an empty map; or a run between the space and its model was deleted. Where nothing names
            the size of images, it is the network's own, which the run finds out.
        NotFoundError: the campaign, its space or the files of the model are gone.
    """
    asked, _ = spec.answers()
    if asked is None:
        return None
    space, rows, values = usable_answers(store, asked, "train")
    _require_shown_network(spec, space, store)
    if spec.mode == "last-layer":
        shown = attention_shown(space, store)
        if not shown.maps(shown.positions(rows[values >= 0])).any():
            raise no_region()
    return space, rows, values


def attention_shown(space: str, store: Store) -> AttentionResult:
    """The maps that people were shown of the images of a space."""
    return AttentionResult(store.artifacts.folder(store.runs.fetch(space).spec["attention"]))


def _require_shown_network(spec: TrainSpec, space: str, store: Store) -> None:
    shown = store.lineage.reference_of(store.runs.fetch(space))
    start = store.runs.find(spec.reference) if spec.reference is not None else None
    trained = spec.model if start is None else start.spec["model"]
    if trained != shown.spec["model"]:
        raise other_network(shown.spec["model"], trained)
    result = ModelResult(store.artifacts.folder(shown.id))
    require_same_images(trained, result.transform, _images_of(spec.model_dump(), store))
    network = result.network
    if network is not None and network.path == "gradient":
        raise no_forward_map(trained)
    if spec.mode == "last-layer":
        _require_regions(str(spec.reference), shown, space, store)


def _require_regions(refitted: str, shown: Run, space: str, store: Store) -> None:
    """Refuse where people were shown the map of another network than is refitted, or of another layer."""
    if features_from(refitted, store) != features_from(shown.id, store):
        raise SpecRefusedError(
            f"People answered about the attention of the model {shown.id}, of which {refitted} is no refit: refit "
            f"{shown.id}, or ask about the attention of {refitted}."
        )
    seen = store.runs.fetch(store.runs.fetch(space).spec["attention"])
    if not sees_mean_of_map(seen, store):
        raise SpecRefusedError(
            f"The maps of {seen.id}, about which people answered, are of the layer {seen.spec.get('target_layer')}, "
            f"whose mean the head does not see: ask about maps of its own layer, or refit without answers."
        )


def _images_of(training: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """How the network of a training sees images: fields of its transform, all of a finished run, else what is named."""
    start = store.runs.find(training["reference"]) if training["reference"] is not None else None
    if start is not None and start.status != "done":
        return _images_of({"reference": None, **start.spec}, store)
    if start is not None:
        found = ModelResult(store.artifacts.folder(start.id)).transform
        return found.to_json()
    own = {"image_size": SMALL_SIZE} if training["model"] == SMALL_RESNET else {}
    named = {name: training[name] for name in OF_IMAGES if training.get(name) is not None}
    return {name.removeprefix("image_"): value for name, value in (own | named).items()}
