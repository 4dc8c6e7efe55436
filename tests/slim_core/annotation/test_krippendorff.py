"""Krippendorff's alpha: his own worked examples, its definition pair by pair, and what must not change it."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from slim_core.annotation.agreement import nominal_alpha

COUNTS = arrays(np.int64, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6), elements=st.integers(0, 4))


def counted(*observers: str) -> np.ndarray:
    """(units, values) of a line of values for each observer; "*" is missing."""
    lines = [line.split() for line in observers]
    values = sorted({value for line in lines for value in line} - {"*"})
    return np.array([[unit.count(value) for value in values] for unit in zip(*lines, strict=True)])


@pytest.mark.parametrize(("observers", "alpha"), [
    (("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"), 0.095),  # section A: binary, two observers
    (("a a b b d c c c e d d a", "b a b b b c c c e d d d"), 0.692),  # section B: nominal, two observers
    (("1 2 3 3 2 1 4 1 2 * * *", "1 2 3 3 2 2 4 1 2 5 * 3", "* 3 3 3 2 3 4 2 2 5 1 *", "1 2 3 3 2 4 4 1 2 5 1 *"),
     0.743),  # section C: four observers, missing data
])  # fmt: skip
def test_krippendorffs_own_examples_come_out_as_he_printed_them(observers: tuple[str, ...], alpha: float) -> None:
    assert round(nominal_alpha(counted(*observers)), 3) == alpha


def by_pairs(counts: np.ndarray) -> float:
    """1 - D_o / D_e by walking every ordered pair of values, as the definition says."""
    units = [[value for value, n in enumerate(unit) for _ in range(n)] for unit in counts]
    units = [unit for unit in units if len(unit) >= 2]
    pooled = [value for unit in units for value in unit]
    observed = sum(sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units)
    expected = sum(a != b for a, b in permutations(pooled, 2)) / (len(pooled) - 1) if len(pooled) > 1 else 0
    return 1 - observed / expected if expected else float("nan")


@given(COUNTS)
def test_it_is_what_its_definition_says(counts: np.ndarray) -> None:
    assert nominal_alpha(counts) == pytest.approx(by_pairs(counts), nan_ok=True)


@given(COUNTS, st.randoms(use_true_random=False))
def test_neither_the_order_of_units_nor_the_names_of_values_matter(counts: np.ndarray, random) -> None:
    units, values = list(range(counts.shape[0])), list(range(counts.shape[1]))
    random.shuffle(units)
    random.shuffle(values)
    assert nominal_alpha(counts[units][:, values]) == pytest.approx(nominal_alpha(counts), nan_ok=True)


@given(COUNTS)
def test_units_of_one_observer_or_none_do_not_matter(counts: np.ndarray) -> None:
    lonely = np.eye(counts.shape[1], dtype=np.int64)
    more = np.concatenate([counts, lonely, np.zeros_like(counts[:1])])
    assert nominal_alpha(more) == pytest.approx(nominal_alpha(counts), nan_ok=True)


@given(COUNTS)
def test_it_is_one_only_where_no_two_observers_differ(counts: np.ndarray) -> None:
    alpha = nominal_alpha(counts)
    assume(not math.isnan(alpha))
    unanimous = all((unit > 0).sum() == 1 for unit in counts if unit.sum() >= 2)
    assert alpha <= 1 and (alpha == 1) == unanimous


@pytest.mark.parametrize("counts", [[[3, 0], [2, 0]], [[1, 0], [0, 1]], [[0, 0]]])
def test_where_there_is_nothing_to_disagree_about_it_is_not_defined(counts: list[list[int]]) -> None:
    assert math.isnan(nominal_alpha(np.array(counts)))
