"""What curation chooses from: a space joined with the scores that the answers give its images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from slim_core.curation import CurationData
from slim_core.data.table import ImageTable
from slim_core.space.environments import ClusterConfig, views
from slim_core.space.sheets import Said
from slim_core.store.results import AttentionResult, SpaceResult


def curation_data(
    table: ImageTable,
    space: SpaceResult,
    scores: NDArray[np.float64],
    answers: NDArray[np.int8],
    said: Mapping[str, Said] | None = None,
    views: NDArray[np.float32] | None = None,
) -> CurationData:
    """The n images of a space with their scores and answers, (n,) each, in the order of its rows.

    ``said``: path of an environment -> what people say of it; ``views``: (2, n, d) as of ``views_of``.
    """
    rows, clusters = space.rows, space.clusters()
    return CurationData(
        labels=table.labels[rows],
        attention_space=space.points("attention"),
        environment_space=space.points("environment"),
        environment=clusters.reduced,
        clusters=clusters,
        scores=scores,
        answers=answers,
        attributes=table.attributes[rows] if table.has_attributes else None,
        n_classes=table.n_classes,
        class_names=tuple(table.label_names),
        said=said or {},
        views=views,
    )


def views_of(space: SpaceResult, seen: AttentionResult) -> NDArray[np.float32] | None:
    """(2, n, d): what surrounds each image of a space, if its attention is right and if it is wrong.

    None where the attention pass has left no features. ``seen``: the attention pass that the space was made from.
    """
    if not seen.has_features:
        return None
    outside, whole = (seen.stored_features(name) for name in ("environment", "pooled"))
    return views(outside, whole, seen.positions(space.rows), ClusterConfig())
