"""S8: whole numbers of images from each cell."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from slim_core.curation.cells import allocate, largest_remainder, spread, spread_weights


@pytest.mark.parametrize(
    ("weights", "total", "budget"),
    [
        ([0.5, 0.3, 0.2], 7, [4, 2, 1]),  # 3.5, 2.1, 1.4
        ([1, 1, 1], 10, [4, 3, 3]),
        ([0.6, 0.4], 5, [3, 2]),
        ([0.0, 1.0], 5, [0, 5]),  # a weight of zero gets nothing
        ([0.0, 0.0], 5, [3, 2]),  # unless all are zero
        ([], 5, []),
    ],
)
def test_remainders_are_given_to_the_largest_and_nothing_is_lost(weights, total, budget):
    assert largest_remainder(np.array(weights), total).tolist() == budget


def test_equal_remainders_go_to_the_earlier_whatever_their_last_digits():
    assert largest_remainder(np.array([1, 1, 4]), 10).tolist() == [2, 2, 6]  # 1 2/3, 1 2/3, 6 2/3
    for weights in product(range(1, 5), repeat=3):
        for total in range(1, 30):
            shares = [Fraction(total * weight, sum(weights)) for weight in weights]
            left = total - sum(map(int, shares))
            first = sorted(range(3), key=lambda k: (int(shares[k]) - shares[k], k))[:left]
            expected = [int(share) + (k in first) for k, share in enumerate(shares)]
            assert largest_remainder(np.array(weights), total).tolist() == expected


@pytest.mark.parametrize(
    ("weights", "total", "room", "budget"),
    [
        ([4.0, 2.0, 1.0], 70, [10, 100, 100], [10, 40, 20]),  # the others take it by their weights
        ([1.0, 1.0, 1.0], 2, [0, 5, 5], [0, 1, 1]),  # nor is a full one counted among them
        ([1.0, 5.0], 100, [3, 4], [3, 4]),  # all there is
        ([1.0, 5.0], 100, [0, 0], [0, 0]),
        ([1.0, 0.0, 0.0], 10, [4, 5, 5], [4, 3, 3]),  # what weighs nothing takes the rest
    ],
)
def test_what_a_full_cell_cannot_take_goes_to_the_others(weights, total, room, budget):
    assert allocate(np.array(weights), total, np.array(room)).tolist() == budget


def test_allocations_are_exact_and_capped_for_many_shapes():
    rng = np.random.default_rng(1)
    for _ in range(50):
        k = rng.integers(1, 30)
        weights, room, total = rng.random(k) * (rng.random(k) < 0.7), rng.integers(0, 40, k), rng.integers(0, 400)
        budget = allocate(weights, int(total), room)
        assert budget.sum() == min(total, room.sum())
        assert (budget <= room).all()
        assert (budget >= 0).all()


def test_the_spread_is_the_median_distance_to_the_mean_whatever_the_size():
    square = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    assert spread(square) == pytest.approx(np.sqrt(2))
    assert spread(np.repeat(square, 50, axis=0)) == pytest.approx(np.sqrt(2))
    assert spread(np.array([[0.0], [0.0], [0.0], [4.0]])) == 1, "the mean is 1, and one lies 3 from it"
    assert spread(square[:1]) == 0
    assert spread(square[:0]) == 0


def test_spread_weights_sum_to_one_also_where_nothing_spreads_or_a_cluster_is_empty():
    points = np.array([[0.0, 0.0], [2.0, 0.0], [10.0, 0.0], [16.0, 0.0]])
    np.testing.assert_allclose(spread_weights(points, np.array([0, 0, 1, 1]), 2), [0.25, 0.75])
    np.testing.assert_allclose(spread_weights(points, np.array([0, 0, 2, 2]), 3), [0.25, 0, 0.75])
    np.testing.assert_allclose(spread_weights(np.zeros((3, 2)), np.array([0, 0, 2]), 3), [0.5, 0, 0.5])
