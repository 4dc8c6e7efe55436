"""How much scores still change, and when to stop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slim_core.annotation.convergence import FEWEST, LOOK_BACK, N_STEPS, Change, Stability, measured
from slim_core.annotation.propagation import expand

N = 400
POINTS = np.random.default_rng(0).normal(size=(N, 2))  # two halves of a plane; the attention is right in one of them
TRUTH = (POINTS[:, 0] > 0).astype(int)


def after(changes: list[Change]) -> Stability:
    return measured(POINTS, np.zeros(N, int), np.arange(N), changes)


def said(order) -> list[Change]:
    return [(int(row), int(TRUTH[row])) for row in order]


def test_the_first_answers_change_much_and_later_ones_little_until_one_can_stop():
    changes = said(np.random.default_rng(1).permutation(N)[:120])
    assert not after(changes[:10]).can_stop and str(FEWEST) in after(changes[:10]).hint
    last = after(changes)
    assert last.n_answers == 120 and last.n_measured == N and len(last.steps) <= N_STEPS + 1
    change = np.array([step.change for step in last.steps])
    assert change[:2].mean() > 10 * change[-4:].mean()
    assert last.can_stop
    tied = replace(last, n_tied=1)
    assert not tied.can_stop and "1 image is" in tied.hint


def test_an_answer_against_all_others_is_not_settled():
    against: list[Change] = [(row, 1 - int(TRUTH[row])) for row in range(60, 60 + LOOK_BACK)]
    found = after(said(range(60)) + against)
    assert found.is_known and not found.can_stop


def test_an_answer_that_is_taken_back_or_given_again_counts_once():
    assert after([(0, 1), (1, 0), (1, None)]).n_answers == 1
    found = after([(0, 1), (1, 0), (1, None), (1, 1), (1, 0)])
    assert found.n_answers == 2 and [step.n_answers for step in found.steps] == [1, 2]


def test_a_change_is_the_mean_over_all_images_and_unknown_counts_as_a_half():
    answers = np.full(N, -1)
    answers[:2] = [1, 0]
    second = np.abs(expand(POINTS, np.zeros(N, int), answers) - 1).mean()
    assert [step.change for step in after([(0, 1), (1, 0)]).steps] == [0.5, pytest.approx(second)]


def test_an_answer_about_an_image_outside_the_sample_counts_and_changes_nothing():
    found = measured(POINTS[:9], np.zeros(9, int), np.arange(9), [(0, 1), (N - 1, 0)])
    assert found.n_answers == 2 and found.n_measured == 9 and found.steps[-1].change == 0


def test_the_last_answers_are_compared_with_those_before_them_whatever_was_taken_back():
    straight = said(range(300)) + [(row, 1 - int(TRUTH[row])) for row in range(300, 345)]
    back_and_forth: list[Change] = [*straight, (344, None), straight[344]]
    assert after(back_and_forth).sides_changed == after(straight).sides_changed > 0


def test_nothing_is_said_before_there_are_answers_to_look_back_over():
    assert np.isnan(after([]).sides_changed) and np.isnan(after(said(range(LOOK_BACK - 1))).sides_changed)
