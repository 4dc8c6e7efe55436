"""S5 answer by answer: the same scores as all at once, whatever is given, changed and taken back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from slim_core.annotation.propagation import LivePropagation, expand
from slim_core.errors import AnswersRefusedError


def space(n: int, seed: int = 0, n_classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Points in clumps of several widths, and their classes."""
    rng = np.random.default_rng(seed)
    clump = rng.integers(0, 12, n)
    points = (rng.normal(size=(12, 2)) * 6)[clump] + rng.normal(size=(n, 2)) * rng.uniform(0.05, 1.2, 12)[clump, None]
    return points, rng.integers(0, n_classes, n)


def moves(n: int, n_moves: int, seed: int) -> list[tuple[int, int]]:
    """Answers, changes and undos at few enough places that many are met again."""
    rng = np.random.default_rng(seed)
    places = rng.choice(n, min(n, max(2, n_moves // 3)), replace=False)
    return [(int(rng.choice(places)), int(rng.choice([1, 0, -1], p=[0.4, 0.4, 0.2]))) for _ in range(n_moves)]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "grid"])
@pytest.mark.parametrize("seed", range(3))
def test_after_every_answer_change_and_undo_the_scores_equal_those_made_at_once(method, seed):
    points, labels = space(500, seed)
    live, answers = LivePropagation(points, labels, method=method), np.full(500, -1, np.int8)
    for position, value in moves(500, 60, seed):
        live.set(position, value)
        answers[position] = value
        np.testing.assert_allclose(live.scores, expand(points, labels, answers, method=method), atol=1e-9, rtol=0)


def test_a_thousand_changes_add_up_to_no_error():
    points, labels = space(300, 1)
    live, answers = LivePropagation(points, labels), np.full(300, -1, np.int8)
    for position, value in moves(300, 1000, 2):
        live.set(position, value)
        answers[position] = value
    np.testing.assert_allclose(live.scores, expand(points, labels, answers), atol=1e-9, rtol=0)


def test_many_answers_at_once_equal_the_same_one_by_one():
    points, labels = space(600, 3)
    answers = np.where(np.random.default_rng(0).random(600) < 0.4, labels ^ (np.arange(600) % 3 == 0), -1)
    at_once, one_by_one = LivePropagation(points, labels), LivePropagation(points, labels)
    assert at_once.update(answers) == (answers != -1).sum()
    for position in np.flatnonzero(answers != -1):
        one_by_one.set(int(position), int(answers[position]))
    np.testing.assert_allclose(at_once.scores, one_by_one.scores, atol=1e-9, rtol=0)
    at_once.set(int(np.flatnonzero(answers != -1)[0]), -1)
    one_by_one.set(int(np.flatnonzero(answers != -1)[0]), -1)
    np.testing.assert_allclose(at_once.scores, one_by_one.scores, atol=1e-9, rtol=0)


def test_far_points_duplicates_and_outliers_are_scored_like_at_once():
    points, labels = space(200, 4, n_classes=1)
    points[:3] = [[4e5, -7e5], [1e4, 1e4], [-1e4, 1e4]]
    points[50:60] = points[50]
    live, answers = LivePropagation(points, labels), np.full(200, -1, np.int8)
    for position, value in [(1, 1), (2, 0), (50, 1), (51, 0), (52, 1), (51, -1), (1, 0), (0, 1), (2, -1)]:
        live.set(position, value)
        answers[position] = value
        np.testing.assert_allclose(live.scores, expand(points, labels, answers), atol=1e-9, rtol=0)


def test_only_the_class_of_an_answer_changes_and_the_last_undo_leaves_nothing_known():
    points, labels = space(200, 5)
    live = LivePropagation(points, labels)
    zero, one = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    for position, value in ((zero[0], 1), (zero[1], 0), (one[0], 1)):
        live.set(int(position), value)
    before = live.scores.copy()
    live.set(int(one[1]), 0)
    np.testing.assert_array_equal(live.scores[zero], before[zero])
    assert (before[one] == 1).all() and live.scores[one].min() < 0.5
    for position in (*zero[:2], *one[:2]):
        live.set(int(position), -1)
    assert np.isnan(live.scores).all()


def test_what_is_no_answer_changes_nothing():
    points, labels = space(50, 6)
    live = LivePropagation(points, labels)
    live.set(3, 1)
    before = live.scores.copy()
    with pytest.raises(AnswersRefusedError, match="An answer is 2"):
        live.set(4, 2)
    with pytest.raises(AnswersRefusedError, match="3 answers do not fit"):
        live.update(np.array([1, 0, 1]))
    np.testing.assert_array_equal(live.scores, before)


@given(
    places=st.lists(st.tuples(st.integers(0, 11), st.sampled_from([1, 0, -1])), max_size=30),
    spread=st.sampled_from([0.0, 1e-6, 1.0, 1e3]),
)
@hypothesis_settings(max_examples=40, deadline=None)
def test_any_history_gives_the_scores_of_what_is_left(places, spread):
    points = np.random.default_rng(7).normal(size=(12, 2)) * spread
    labels = np.arange(12) % 2
    live, answers = LivePropagation(points, labels), np.full(12, -1, np.int8)
    for position, value in places:
        live.set(position, value)
        answers[position] = value
    np.testing.assert_allclose(live.scores, expand(points, labels, answers), atol=1e-9, rtol=0)
