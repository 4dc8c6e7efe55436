"""The images of a space most like one of them, by the features that its attention run has kept."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from app import session
from app.services.results import space_data
from app.services.results.space_data import SpaceData
from slim_core import result_files
from slim_core.space.similarity import Similarity
from slim_core.store.results import AttentionResult

if TYPE_CHECKING:
    from slim_core.store import Store

ABOUT = {  # features, the proposed ones first -> what is alike
    "attention": "what the model looks at",
    "environment": "the surroundings",
    "pooled": "the whole image, as the model sees it",
}


def kept(data: SpaceData) -> list[str]:
    """The features there are, the proposed ones first; none where their files were removed."""
    has = session.store().artifacts.has
    return [name for name in ABOUT if has(data.attention, result_files.FEATURES[name])]


def nearest(data: SpaceData, position: int, features: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) positions of the images most like one, and how far away their features are, nearest first."""
    return _similarity(session.store(), data.run, data.attention, features).nearest(position, n)


@lru_cache(maxsize=3)  # 13 MB for 100,000 images each; the features stay on disk
def _similarity(store: Store, space: str, attention: str, features: str) -> Similarity:
    found = AttentionResult(store.artifacts.folder(attention))
    positions = found.positions(space_data.load(space).rows)
    return Similarity.of(found.stored_features(features), positions)
