"""Two views of an image in one reduction, and what the attention is on less what lies outside it."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core.errors import SpecRefusedError
from slim_core.space.environments import CONTRAST_DIMS, ClusterConfig, contrast, views

RNG = np.random.default_rng(0)
OUTSIDE, OTHER = (RNG.random((600, 12)).astype(np.float16) for _ in range(2))
POSITIONS = np.array([5, 500, 17, 3])
CONFIG = ClusterConfig(cluster_dims=4)


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def test_both_views_of_an_image_lie_in_one_reduction_and_belong_to_the_positions_asked_for():
    found = views(OUTSIDE, OTHER, POSITIONS, CONFIG)
    swapped = views(OTHER, OUTSIDE, POSITIONS, CONFIG)
    both = np.concatenate([found.if_right, found.if_wrong])
    again = np.concatenate([swapped.if_wrong, swapped.if_right])
    assert both.shape == (8, 4) and both.dtype == np.float32 and len(found) == 4
    assert np.allclose(distances(both), distances(again), atol=1e-3), "one reduction of both, whichever comes first"


def test_views_of_features_that_are_not_finite_are_refused():
    broken = OTHER.copy()
    broken[17, 2] = np.inf
    with pytest.raises(SpecRefusedError, match="not finite"):
        views(OUTSIDE, broken, np.arange(50), CONFIG)


def test_views_of_two_layers_are_refused_with_what_to_do():
    with pytest.raises(SpecRefusedError, match="its map has 12 channels.*environments=both"):
        views(OUTSIDE, OTHER[:, :7], POSITIONS, CONFIG)


def test_the_contrast_is_that_of_directions_whatever_their_length():
    found = contrast(OTHER, OUTSIDE, POSITIONS, 0)
    longer = contrast(OTHER * 4, OUTSIDE * 2, POSITIONS, 0)
    assert found.shape == (4, min(CONTRAST_DIMS, 4, 12))
    assert np.allclose(distances(found), distances(longer), atol=1e-2)
    assert np.allclose(contrast(OTHER, OTHER, POSITIONS, 0), 0)
