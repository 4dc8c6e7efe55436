"""The nearest images are those that looking at all of them finds."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from slim_core.space import selections
from slim_core.space.selections import nearest


def test_they_are_those_of_a_search_through_all_that_are_asked_about(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(selections, "CHUNK_ROWS", 700)
    np.save(tmp_path / "features.npy", np.random.default_rng(0).random((3000, 64)).astype(np.float16))
    features = np.load(tmp_path / "features.npy", mmap_mode="r")
    positions = np.arange(1, 3000, 2)
    wide = np.asarray(features[positions], np.float32)
    for at in (0, 17, 1499):
        order, distance = nearest(features, positions, at, 12)
        expected = NearestNeighbors(n_neighbors=13, algorithm="brute").fit(wide).kneighbors(wide[[at]])[0][0][1:]
        assert distance == pytest.approx(expected, rel=1e-4)
        assert distance == pytest.approx(np.linalg.norm(wide[order] - wide[at], axis=1), rel=1e-4)
        assert at not in order


def test_identical_images_come_first_in_their_order_and_few_images_are_enough() -> None:
    features = np.array([[1, 0], [0, 0], [1, 0], [1, 0], [5, 5]], np.float16)
    order, distance = nearest(features, np.arange(5), 2, 24)
    assert order.tolist() == [0, 3, 1, 4] and distance[:2].tolist() == [0, 0]
    assert nearest(features[:1], np.arange(1), 0, 5)[0].tolist() == []
    assert nearest(np.ones((4, 3), np.float16), np.arange(4), 1, 2)[0].tolist() == [0, 2]
