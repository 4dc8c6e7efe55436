"""What curation chooses from: a space joined with the scores that the answers give its images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from slim_core.curation import CurationData
from slim_core.data.table import ImageTable
from slim_core.space.sheets import Said
from slim_core.store.results import SpaceResult


def curation_data(
    table: ImageTable,
    space: SpaceResult,
    scores: NDArray[np.float64],
    answers: NDArray[np.int8],
    said: Mapping[str, Said] | None = None,
) -> CurationData:
    """The n images of a space with their scores and answers, (n,) each, in the order of its rows.

    ``said``: path of an environment -> what people say of it.
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
    )
