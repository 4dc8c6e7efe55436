"""Seeded k-means, distinct picks and the number of clusters."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from slim_core.space import clustering
from slim_core.space.clustering import davies_bouldin_k, elbow_k, pick_around, pick_diverse, seeded_kmeans


def ring(k: int, n: int = 240, noise: float = 0.05) -> np.ndarray:
    """k equally clear clumps on a circle."""
    rng = np.random.default_rng(k)
    angle = 2 * np.pi * (np.arange(n) % k) / k
    return np.column_stack([np.cos(angle), np.sin(angle)]) * k + rng.normal(size=(n, 2)) * noise


def clumps(n: int, d: int) -> np.ndarray:
    """Points that lie close in some places and far apart in others."""
    rng = np.random.default_rng(d)
    at = rng.integers(20, size=n)
    return rng.normal(size=(20, d))[at] * 2 + rng.normal(size=(n, d)) * rng.uniform(0.2, 1.5, (20, 1))[at]


@pytest.mark.parametrize("d", [2, 10])
def test_picks_in_parts_spread_nearly_like_those_of_k_means(d):
    points = clumps(4_000, d)
    exact, quick = (pick_diverse(points, 400, 3, seed=0, at_once=at_once) for at_once in (10**9, 20_000))
    assert len(set(quick.tolist())) == 400
    exact_spread, quick_spread = (cKDTree(points[picks]).query(points)[0].mean() for picks in (exact, quick))
    at_random = np.random.default_rng(0).choice(4_000, 400, replace=False)
    assert quick_spread < 1.1 * exact_spread
    assert quick_spread < cKDTree(points[at_random]).query(points)[0].mean()


def test_picks_in_parts_are_the_same_again_and_whatever_the_order_of_the_rows():
    points = clumps(2_000, 4)
    order = np.random.default_rng(1).permutation(2_000)
    picks = pick_diverse(points, 150, 3, seed=0, at_once=5_000)
    assert np.array_equal(picks, pick_diverse(points, 150, 3, seed=0, at_once=5_000))
    assert set(order[pick_diverse(points[order], 150, 3, seed=0, at_once=5_000)]) == set(picks)


@pytest.mark.parametrize("n_other", [0, 3])
def test_picks_in_parts_of_points_that_are_nearly_all_equal(n_other):
    points = np.zeros((30_000, 3))
    points[:n_other] = 1
    assert len(set(pick_diverse(points, 200, 3, seed=0).tolist())) == 200


def test_k_means_of_many_rows_is_fitted_on_some_and_gives_each_its_nearest_centre(monkeypatch):
    monkeypatch.setattr(clustering, "FIT_ROWS", 500)
    points = clumps(3_000, 3)
    index, centres = seeded_kmeans(points, 6, seed=0)
    assert np.array_equal(index, cKDTree(centres).query(points)[1])
    assert np.array_equal(index, seeded_kmeans(points, 6, seed=0)[0])


@pytest.mark.parametrize("values", [3, 10**6])
def test_rows_are_sorted_by_all_their_columns(values):
    points = np.random.default_rng(0).integers(values, size=(500, 4)).astype(np.float32)
    assert np.array_equal(clustering.canonical_order(points), np.lexsort(points.T[::-1]))


def test_clear_clumps_are_found_and_numbered_by_size():
    points = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], [3, 10, 5], axis=0)
    points += np.random.default_rng(0).normal(size=points.shape) * 0.1
    index, centres = seeded_kmeans(points, 3, seed=0)
    assert index.tolist() == [2] * 3 + [0] * 10 + [1] * 5
    np.testing.assert_allclose(centres, [[9, 0], [0, 9], [0, 0]], atol=0.2)


def test_clusters_do_not_depend_on_the_order_of_the_rows():
    points = np.random.default_rng(0).normal(size=(200, 3))
    order = np.random.default_rng(1).permutation(200)
    np.testing.assert_array_equal(seeded_kmeans(points, 5, 3)[0][order], seeded_kmeans(points[order], 5, 3)[0])


def test_more_clusters_than_different_points_gives_one_each():
    points = np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    index, centres = seeded_kmeans(points, 5, seed=0)
    assert index.tolist() == [0, 1, 0]
    assert centres.tolist() == [[1, 1], [0, 0]]


def test_k_means_runs_on_one_thread_and_leaves_the_others_their_number(monkeypatch):
    pools = clustering._thread_pools()  # of what k-means computes with; another test may have loaded more since
    assert {"openmp", "blas"} <= {library["user_api"] for library in pools.info()}

    def threads():
        return {library["num_threads"] for library in pools.info()}

    inside = []

    class Watched(KMeans):
        def fit(self, points):
            inside.append(threads())
            return super().fit(points)

    monkeypatch.setattr("sklearn.cluster.KMeans", Watched)
    with threadpool_limits(2):
        before = threads()
        for seed in range(2):
            seeded_kmeans(ring(3), 3, seed)
        assert inside == [{1}, {1}] and threads() == before


def test_many_rows_and_centres_go_in_batches_and_stay_reproducible(monkeypatch):
    monkeypatch.setattr(clustering, "MINI_BATCH_ABOVE", 100)
    points = ring(6)
    index, centres = seeded_kmeans(points, 6, seed=0)
    np.testing.assert_array_equal(index, seeded_kmeans(points, 6, seed=0)[0])
    assert np.bincount(index).sum() == 240
    assert len(centres) == index.max() + 1


def test_picks_are_distinct_though_every_centre_is_the_same():
    points = np.random.default_rng(0).normal(size=(12, 2))
    picks = pick_around(points, np.zeros((12, 2)), n_nearest=3, seed=0)
    assert sorted(picks) == list(range(12))


def test_a_pick_is_among_the_nearest_that_are_still_free():
    points = np.arange(20.0)[:, None]
    for seed in range(10):
        first, second = pick_around(points, np.array([[0.0], [0.0]]), n_nearest=3, seed=seed)
        assert first <= 2
        assert second <= 3
        assert second != first


def test_diverse_picks_are_exactly_as_many_as_asked_for():
    points = np.repeat(np.arange(4.0), 5)[:, None]  # four places, twenty images
    for n in (0, 1, 3, 4, 11, 20):
        assert len(set(pick_diverse(points, n, 3, seed=0))) == n
    assert set(points[pick_diverse(points, 4, 3, seed=0), 0]) == {0, 1, 2, 3}


@pytest.mark.parametrize("k", [2, 3, 4, 5])  # the reference could return 3 and 4 only
def test_the_elbow_can_return_the_ends_of_its_range_too(k):
    assert elbow_k(ring(k), k_max=8, seed=0) == k


@pytest.mark.parametrize("k", [2, 3, 5, 8])
def test_davies_bouldin_is_minimised(k):
    assert davies_bouldin_k(ring(k), k_max=8, seed=0) == k


@pytest.mark.parametrize("choose_k", [elbow_k, davies_bouldin_k])
def test_too_few_points_to_split_are_one_cluster_and_two_at_most_two(choose_k):
    assert choose_k(np.zeros((1, 2)), 8, 0) == 1
    assert choose_k(np.zeros((9, 2)), 8, 0) == 1
    assert choose_k(np.array([[0.0, 0.0], [1.0, 1.0]]), 8, 0) in (1, 2)
