"""The nearest images are those that looking at all of them finds, also where the bound excludes hardly any."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from slim_core.space import similarity
from slim_core.space.similarity import Similarity


def clumps(n: int, k: int) -> np.ndarray:
    """(n, k) float16 about a few centres, as features of images are."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(12, k)) * 2
    return (centres[random.integers(0, 12, n)] + random.normal(size=(n, k)) * 0.3).astype(np.float16)


@pytest.mark.parametrize("features", [clumps(3000, 64), np.random.default_rng(0).random((3000, 64)).astype(np.float16)])
def test_they_are_those_of_a_search_through_all(features, monkeypatch) -> None:
    monkeypatch.setattr(similarity, "FIRST", 20)
    monkeypatch.setattr(similarity, "CHUNK_ROWS", 700)
    wide = features.astype(np.float32)
    near = Similarity.of(features, np.arange(len(features)))
    for at in (0, 17, 2999):
        order, distance = near.nearest(at, 12)
        expected = NearestNeighbors(n_neighbors=13, algorithm="brute").fit(wide).kneighbors(wide[[at]])[0][0][1:]
        assert distance == pytest.approx(expected, rel=1e-4)
        assert distance == pytest.approx(np.linalg.norm(wide[order] - wide[at], axis=1), rel=1e-4)
        assert at not in order


def test_they_are_found_among_thousands_that_hardly_differ() -> None:
    """As frames of a few fixed cameras: what the axes leave out is small beside how far apart the cameras are."""
    random = np.random.default_rng(3)
    centres, of = random.normal(size=(8, 256)) * 3, random.integers(0, 8, 12_000)
    features = (centres[of] + random.normal(size=(12_000, 256)) * 1e-3).astype(np.float16)
    near, wide = Similarity.of(features, np.arange(12_000)), features.astype(np.float64)
    for at in range(0, 12_000, 1500):
        expected = np.sort(np.linalg.norm(wide - wide[at], axis=1))[1:13]
        assert near.nearest(at, 12)[1] == pytest.approx(expected, rel=1e-4)


def test_only_the_images_asked_about_are_found_and_features_stay_on_disk(tmp_path) -> None:
    np.save(tmp_path / "features.npy", clumps(500, 8))
    features = np.load(tmp_path / "features.npy", mmap_mode="r")
    positions = np.arange(1, 500, 2)
    order, _ = Similarity.of(features, positions).nearest(3, 5)
    wide = np.asarray(features[positions], np.float32)
    assert order.tolist() == np.argsort(np.linalg.norm(wide - wide[3], axis=1), kind="stable")[1:6].tolist()


def test_a_later_question_reads_a_fraction_of_the_features(monkeypatch) -> None:
    near = Similarity.of(clumps(6000, 64), np.arange(6000))
    read: list[int] = []
    distances = Similarity._distances
    monkeypatch.setattr(
        Similarity, "_distances", lambda self, those, at: read.append(len(those)) or distances(self, those, at)
    )
    near.nearest(5, 24)
    assert sum(read) < 6000 / 3


def test_identical_images_come_first_in_their_order_and_few_images_are_enough() -> None:
    features = np.array([[1, 0], [0, 0], [1, 0], [1, 0], [5, 5]], np.float16)
    order, distance = Similarity.of(features, np.arange(5)).nearest(2, 24)
    assert order.tolist() == [0, 3, 1, 4] and distance[:2].tolist() == [0, 0]
    alone = Similarity.of(features[:1], np.arange(1))
    assert alone.nearest(0, 5)[0].tolist() == []
    alike = Similarity.of(np.ones((4, 3), np.float16), np.arange(4))
    assert alike.nearest(1, 2)[0].tolist() == [0, 2]
