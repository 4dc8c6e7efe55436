"""What curation chooses from: a space joined with the scores that the answers give its images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from slim_core.curation import CurationData
from slim_core.curation.options import FoundBy
from slim_core.data.table import ImageTable
from slim_core.space.environments import ClusterConfig, Views, contrast, is_on_anything, views
from slim_core.store.results import AttentionResult, SpaceResult


def curation_data(
    table: ImageTable,
    space: SpaceResult,
    scores: NDArray[np.float64],
    answers: NDArray[np.int8],
    views: Views | None = None,
) -> CurationData:
    """The n images of a space with their scores and answers, (n,) each, in the order of its rows.

    ``views``: as of ``views_of``.
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
        attribute_names=tuple(table.attribute_names),
        views=views,
    )


def views_of(space: SpaceResult, seen: AttentionResult, environments: FoundBy, config: ClusterConfig) -> Views | None:
    """What environments are found in, for the images of a space; None where the attention pass has left no features.

    ``seen``: the attention pass that the space was made from; ``environments``: not those of the space, for which
    nothing is read of it; ``config``: as the space was made.
    """
    if not seen.has_features:
        return None
    positions = seen.positions(space.rows)
    outside, attended = (seen.stored_features(name) for name in ("environment", "attention"))
    if environments == "answers":
        return views(outside, seen.stored_features("pooled"), positions, config)
    found = views(outside, attended, positions, config)
    on_anything = is_on_anything(attended, positions)
    return replace(found, contrast=contrast(attended, outside, positions, config.seed), attended=on_anything)
