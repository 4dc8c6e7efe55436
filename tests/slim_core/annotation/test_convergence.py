"""How much scores still change, and when to stop."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core.annotation.convergence import FEWEST, LOOK_BACK, N_STEPS, Settling
from slim_core.annotation.propagation import expand


def space(n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two halves of a plane; the attention is right in one of them."""
    points = np.random.default_rng(0).normal(size=(n, 2))
    return points, np.zeros(n, int), (points[:, 0] > 0).astype(int)


def test_the_first_answers_change_much_and_later_ones_little_until_one_can_stop():
    points, labels, truth = space()
    settling = Settling(points, labels)
    order = np.random.default_rng(1).permutation(400)
    hints = []
    for position in order[:120]:
        settling.advance([(int(position), int(truth[position]))])
        hints.append(settling.stability())
    first, last = hints[9], hints[-1]
    assert not first.can_stop and "From 20 on" in first.hint
    assert len(last.steps) == last.n_answers == 120 and last.n_measured == 400
    change = np.array([step.change for step in last.steps])
    assert change[:10].mean() > 10 * change[-20:].mean()
    assert last.can_stop and last.hint.endswith("you can stop.")


def test_an_answer_against_all_others_is_not_settled():
    points, labels, truth = space()
    settling = Settling(points, labels)
    for position in range(60):
        settling.advance([(position, int(truth[position]))])
    for position in range(60, 60 + LOOK_BACK):
        settling.advance([(position, 1 - int(truth[position]))])
    found = settling.stability()
    assert not found.can_stop and "more answers still help" in found.hint


def test_an_answer_that_is_taken_back_or_given_again_counts_once():
    points, labels, _ = space()
    settling = Settling(points, labels)
    settling.advance([(0, 1)])
    settling.advance([(1, 0)])
    settling.advance([(1, None)])
    assert settling.stability().n_answers == 1
    settling.advance([(1, 1)])
    settling.advance([(1, 0)])
    found = settling.stability()
    assert found.n_answers == 2 and [step.n_answers for step in found.steps] == [1, 2]


def test_a_change_is_the_mean_over_all_images_and_unknown_counts_as_a_half():
    points, labels, truth = space()
    settling = Settling(points, labels)
    settling.advance([(0, 1)])
    settling.advance([(1, 0)])
    answers = np.full(400, -1)
    answers[:2] = [1, 0]
    second = np.abs(expand(points, labels, answers) - 1).mean()
    assert [step.change for step in settling.stability().steps] == [0.5, pytest.approx(second)]


def test_a_long_history_is_read_in_few_steps_that_end_where_single_ones_do():
    points, labels, truth = space()
    changes = [(k, int(truth[k])) for k in range(300)]
    settling = Settling(points, labels)
    settling.advance(changes)
    found = settling.stability()
    assert len(found.steps) <= N_STEPS + 1 and found.n_answers == 300 > FEWEST
    assert found.steps[-1].n_answers == 300 and not np.isnan(found.sides_changed)


def test_the_last_answers_of_a_long_history_are_as_many_as_of_one_that_was_followed():
    points, labels, truth = space()
    said = [*truth[:300], *(1 - truth[300:])]  # the last ones move scores across 0.5
    given: list[tuple[int, int | None]] = [(k, int(value)) for k, value in enumerate(said)]
    changes = [*given[:342], (341, None), given[341], given[6], *given[342:345]]
    at_once, followed = Settling(points, labels), Settling(points, labels)
    at_once.advance(changes)
    for change in changes:
        followed.advance([change])
    assert at_once.stability().sides_changed == followed.stability().sides_changed > 0


def test_nothing_is_said_of_the_last_answers_once_more_were_taken_back_than_is_looked_back_over():
    points, labels, truth = space()
    settling = Settling(points, labels)
    for position in range(40):
        settling.advance([(position, int(truth[position]))])
    for position in range(39, 39 - LOOK_BACK, -1):
        settling.advance([(position, None)])
    found = settling.stability()
    assert found.n_answers == 30 >= FEWEST
    assert np.isnan(found.sides_changed) and not found.can_stop and not settling.looks_back
