"""Spaces without UMAP, whose functions are compiled for as long as all the rest of a small loop takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from slim_core.space import embedding
from slim_core.space.embedding import fit_pca, project


@contextmanager
def placed_quickly() -> Iterator[None]:
    """Spaces that are made meanwhile have the first two components for UMAP's points."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "fit_umap", first_components)
        yield


def first_components(features: np.ndarray, *_: object, seed: int, **__: object) -> np.ndarray:
    """A place for each image that is as good as UMAP's to whoever draws and selects it."""
    return project(fit_pca(features, 2, seed), features)
