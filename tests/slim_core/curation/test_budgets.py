"""S8: whole numbers of images from each cell."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from slim_core.curation.cells import allocate, largest_remainder, spread, spread_weights


def test_remainders_are_given_to_the_largest_and_nothing_is_lost():
    assert largest_remainder(np.array([0.5, 0.3, 0.2]), 7).tolist() == [4, 2, 1]  # 3.5, 2.1, 1.4
    assert largest_remainder(np.array([1, 1, 1]), 10).tolist() == [4, 3, 3]
    assert largest_remainder(np.array([0.6, 0.4]), 5).tolist() == [3, 2]


def test_equal_remainders_go_to_the_earlier_whatever_their_last_digits():
    assert largest_remainder(np.array([1, 1, 4]), 10).tolist() == [2, 2, 6]  # 1 2/3, 1 2/3, 6 2/3
    for weights in product(range(1, 5), repeat=3):
        for total in range(1, 30):
            shares = [Fraction(total * weight, sum(weights)) for weight in weights]
            left = total - sum(map(int, shares))
            first = sorted(range(3), key=lambda k: (int(shares[k]) - shares[k], k))[:left]
            expected = [int(share) + (k in first) for k, share in enumerate(shares)]
            assert largest_remainder(np.array(weights), total).tolist() == expected


def test_any_weights_sum_to_the_total():
    rng = np.random.default_rng(0)
    for total in (0, 1, 7, 120, 1000):
        for k in (1, 3, 25):
            budget = largest_remainder(rng.random(k), total)
            assert budget.sum() == total
            assert (budget >= 0).all()


def test_weights_of_zero_get_nothing_unless_all_are_zero():
    assert largest_remainder(np.array([0.0, 1.0]), 5).tolist() == [0, 5]
    assert largest_remainder(np.zeros(2), 5).tolist() == [3, 2]
    assert largest_remainder(np.empty(0), 5).tolist() == []


def test_what_a_full_cell_cannot_take_goes_to_the_others_by_their_weights():
    assert allocate(np.array([4.0, 2.0, 1.0]), 70, np.array([10, 100, 100])).tolist() == [10, 40, 20]
    assert allocate(np.ones(3), 2, np.array([0, 5, 5])).tolist() == [0, 1, 1], "nor is it counted among them"


def test_a_total_above_what_exists_takes_all_of_it():
    assert allocate(np.array([1.0, 5.0]), 100, np.array([3, 4])).tolist() == [3, 4]
    assert allocate(np.array([1.0, 5.0]), 100, np.array([0, 0])).tolist() == [0, 0]


def test_cells_without_weight_take_the_rest_when_the_others_are_full():
    assert allocate(np.array([1.0, 0.0, 0.0]), 10, np.array([4, 5, 5])).tolist() == [4, 3, 3]


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
