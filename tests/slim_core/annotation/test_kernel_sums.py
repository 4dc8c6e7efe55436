"""Sums of a kernel over many points: the same by its series as pair by pair."""

import tracemalloc

import numpy as np
import pytest

from slim_core.annotation.propagation import LivePropagation, expand, kernel_sums, series, standardise
from slim_core.annotation.propagation.kernel_sums import log_degrees, log_sums
from slim_core.annotation.propagation.series import Series

ALWAYS, NEVER = 1e9, 0.0  # the series, by what pairs are said to cost


def clumps(n: int, seed: int = 0) -> np.ndarray:
    """Points in clumps of several widths, standardised, as UMAP makes them."""
    rng = np.random.default_rng(seed)
    clump = rng.integers(0, 12, n)
    points = (rng.normal(size=(12, 2)) * 6)[clump] + rng.normal(size=(n, 2)) * rng.uniform(0.05, 1.2, 12)[clump, None]
    return standardise(points)


@pytest.fixture(params=["clumps", "an outlier", "all in one place"])
def x(request: pytest.FixtureRequest) -> np.ndarray:
    """(1500, 2) points."""
    points = clumps(1500)
    if request.param == "an outlier":
        points[7] = [30.0, -25.0]
    return points * 0 + 1 if request.param == "all in one place" else points


@pytest.mark.parametrize("gamma", [0.1, 5.0, 10.0, 100.0])
def test_the_series_is_the_kernel_to_the_last_digits_of_all_weights(x, gamma):
    weights = np.random.default_rng(1).uniform(0.01, 1, 300)
    expected = np.exp(-gamma * kernel_sums.squared_distances(x, x[:300])) @ weights
    found = Series(x, gamma).sums(x, x[:300], weights)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14 * weights.sum())


def test_sums_by_the_series_have_ten_digits_wherever_an_image_is_and_whatever_an_outlier_weighs(x, monkeypatch):
    centres, log_weights = x[:300], np.random.default_rng(1).uniform(-6, 0, 300)
    log_weights[7] = 40.0  # nothing is near it
    expected = kernel_sums._by_pairs(x, centres, log_weights, 10.0)
    monkeypatch.setattr(series, "PAIR", ALWAYS)
    np.testing.assert_allclose(log_sums(x, centres, log_weights, 10.0), expected, rtol=0, atol=1e-9)
    assert np.isneginf(log_sums(x, x[:0], log_weights[:0], 10.0)).all()


def test_degrees_by_the_series_have_ten_digits(x, monkeypatch):
    known = np.arange(300)
    expected = kernel_sums._degrees_by_pairs(x, known, 10.0)
    monkeypatch.setattr(series, "PAIR", ALWAYS)
    np.testing.assert_allclose(log_degrees(x, known, 10.0), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.02])
def test_the_scores_are_the_same_by_the_series_and_by_pairs(share, monkeypatch):
    points, labels = clumps(2000), np.arange(2000) % 2
    rng = np.random.default_rng(0)
    answers = np.where(rng.random(2000) < 0.4, (rng.random(2000) < share).astype(int), -1)
    scores = []
    for pair in (NEVER, ALWAYS):
        monkeypatch.setattr(series, "PAIR", pair)
        live = LivePropagation(points, labels)
        live.update(answers)
        scores += [expand(points, labels, answers), live.scores]
    for one in scores[1:]:
        np.testing.assert_allclose(one, scores[0], atol=1e-9, rtol=0)


def test_answers_that_come_in_together_join_the_earlier_ones(monkeypatch):
    points, labels = clumps(900), np.zeros(900, int)
    truth, order = np.arange(900) % 2, np.random.default_rng(0).permutation(900)
    live, answers = LivePropagation(points, labels), np.full(900, -1)
    for given in np.split(order[:400], 4):
        answers[given] = truth[given]
        live.update(answers)
        np.testing.assert_allclose(live.scores, expand(points, labels, answers), atol=1e-9, rtol=0)
    answers[order[:100]] = -1
    answers[order[100:150]] = 1 - truth[order[100:150]]
    live.update(answers)
    np.testing.assert_allclose(live.scores, expand(points, labels, answers), atol=1e-9, rtol=0)


@pytest.fixture
def pairs(monkeypatch) -> list[int]:
    """How many distances were computed, call by call."""
    counted: list[int] = []
    plain = kernel_sums.squared_distances

    def counting(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        counted.append(len(a) * len(b))
        return plain(a, b)

    for module in ("kernel_sums", "spreading", "live"):
        monkeypatch.setattr(f"slim_core.annotation.propagation.{module}.squared_distances", counting)
    return counted


def test_many_answers_about_many_images_cost_no_pass_over_all_their_pairs(pairs):
    points, n_answers = clumps(20_000), 4_000
    answers = np.full(20_000, -1)
    answers[:n_answers] = np.arange(n_answers) % 2
    expand(points, np.zeros(20_000, int), answers)
    assert sum(pairs) < 1.2 * n_answers**2  # those of the answers among each other


def test_answers_that_come_in_together_do_not_go_through_the_earlier_ones_again(pairs):
    points, answers = clumps(3_000), np.full(3_000, -1)
    live = LivePropagation(points, np.zeros(3_000, int), "grid")
    for start in (0, 300):
        pairs.clear()
        answers[start : start + 300] = np.arange(300) % 2
        live.update(answers)
    assert sum(pairs) <= 2 * 300 * 3_000 + 300 * 600  # degrees and sums of the new ones, and their links


def test_the_series_holds_no_more_for_more_points(monkeypatch):
    monkeypatch.setattr(series, "AT_ONCE", 100_000)  # terms: some 1,000 points

    def peak(n: int) -> int:
        points, weights = clumps(n), np.ones(n)
        tracemalloc.start()
        Series(points, 10.0).sums(points, points, weights)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few, many = peak(5_000), peak(25_000)
    assert many < few + 20 * 20_000  # a few numbers a point, not its 90 terms
