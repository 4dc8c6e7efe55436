"""Two models on the same images: counts, whether the worst group changed, and which groups did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from slim_core.evaluation.two_models import changed, not_above, outcomes, outcomes_of, worst_group_changed
from slim_core.metrics import wilson
from slim_core.result_files import PREDICTIONS

# 150 of 200 right before and 160 after; 12 images turned right, 2 turned wrong, and the other groups stay
TURNED = [[[38, 12], [2, 148]], [[10, 0], [0, 190]], [[1, 0], [0, 199]]]


def predicted(*correct: bool, first: int = 0, group: tuple[int, ...] = (0, 0, 1, -1)) -> pd.DataFrame:
    return pd.DataFrame({"row": np.arange(first, first + len(correct)), "group": group, "correct": correct})


def test_outcomes_are_counted_by_group_and_images_of_no_known_group_are_left_out() -> None:
    found = outcomes(predicted(True, False, True, False), predicted(True, True, False, True), 3)
    assert found is not None
    assert found.tolist() == [[[0, 1], [0, 1]], [[0, 0], [1, 0]], [[0, 0], [0, 0]]]


def test_of_other_images_or_without_a_file_nothing_is_known() -> None:
    here = predicted(True, False, True, False)
    assert outcomes(here, predicted(True, False, True, False, first=1), 2) is None
    assert outcomes(here, here[:3], 2) is None and outcomes(here[:3], here, 2) is None


def test_two_evaluations_are_counted_from_their_files_and_without_one_nothing_is_known(looped) -> None:
    store = looped.at.store
    before, after = (looped.outcomes[method].evaluation for method in ("erm", "slim"))
    found = outcomes_of(store, before, after)
    assert found is not None
    for run, counts in ((before, found[:, 1, :].sum(axis=1)), (after, found[:, :, 1].sum(axis=1))):
        assert counts.tolist() == [group["correct"] for group in run.metrics["groups"]]
    assert outcomes_of(store, before, replace(after, id="r-whose-files-are-gone")) is None


def test_of_a_damaged_file_nothing_is_known(looped, tmp_path, monkeypatch) -> None:
    (tmp_path / PREDICTIONS).write_text("no table")
    monkeypatch.setattr(looped.at.store.artifacts, "folder", lambda _run_id: tmp_path)
    assert outcomes_of(looped.at.store, *(looped.outcomes[each].evaluation for each in ("erm", "slim"))) is None


def test_a_rise_is_seen_although_the_intervals_of_the_two_accuracies_overlap() -> None:
    counts = np.array(TURNED)
    low, high = wilson([150, 160], [200, 200])
    assert low[1] < high[0], "they overlap"
    assert worst_group_changed(counts) == 1
    assert worst_group_changed(counts.transpose(0, 2, 1)) == -1, "from the second model to the first"
    apart = np.array([[[8, 42], [32, 118]], *TURNED[1:]])  # the same accuracies, of models that agree less
    assert worst_group_changed(apart) == 0


def test_a_group_that_falls_below_the_old_worst_one_is_no_rise() -> None:
    fallen = [[100, 0], [98, 2]]  # right on half of 200 before, on one in a hundred after
    assert worst_group_changed(np.array([*TURNED, fallen])) == -1
    near = [[46, 0], [2, 152]]  # at 76 % after: no better than the 75 % that the worst one had
    assert worst_group_changed(np.array([*TURNED, near])) == 0


def test_groups_that_may_be_as_low_are_named() -> None:
    few = [[[0, 0], [0, 3]]]  # all right by both, and their accuracy may still be the lowest
    assert not_above(np.array([*TURNED, *few])).tolist() == [False, False, False, True]
    assert worst_group_changed(np.array([*TURNED, *few])) == 0
    assert not not_above(np.array([[[0, 0], [0, 0]], *TURNED])).any(), "an empty group says nothing"


@pytest.mark.parametrize(("right", "may_be_as_low"), [(32, True), (33, False)])
def test_a_group_is_above_the_old_worst_one_at_the_level_of_both_tests_and_with_the_correction(right, may_be_as_low):
    """2 p = 0.027 at 32 of 40, against 120 of 200, and 0.012 at 33; the level is 0.025 of a side."""
    counts = np.array([[[20, 60], [0, 120]], [[40 - right, 0], [0, right]]])
    assert not_above(counts).tolist() == [False, may_be_as_low]


def test_groups_without_an_image_do_not_count() -> None:
    counts = np.concatenate([np.array(TURNED), np.zeros((40, 2, 2), np.int64)])
    assert worst_group_changed(counts) == 1
    assert worst_group_changed(counts[3:]) == 0


def test_of_groups_that_are_as_low_before_the_largest_is_the_one_that_rose() -> None:
    """The one that the verdict names. Of two images no test says that they turned by more than chance."""
    two, many = [[0, 2], [0, 0]], [[50, 250], [0, 0]]  # none right before, in both
    assert worst_group_changed(np.array([two, many])) == worst_group_changed(np.array([many, two])) == 1


@pytest.mark.parametrize("after", [(0.75, 0.75, 0.75, 0.75), (0.99, 0.85, 0.75, 0.92)])
def test_where_the_worst_group_stays_a_rise_is_hardly_ever_claimed(after) -> None:
    """The accuracy of the worst of equal groups is too low by chance, and rises by itself."""
    rng, n = np.random.default_rng(0), 400
    first, second = np.full(4, 0.75), np.array(after)
    both = 0.8 * np.minimum(first, second) + 0.2 * first * second  # the images that are easy for one are for the other
    shares = np.stack([1 - first - second + both, second - both, first - both, both], axis=1)
    drawn = [np.stack([rng.multinomial(200, one) for one in shares]).reshape(-1, 2, 2) for _ in range(n)]
    assert sum(worst_group_changed(counts) > 0 for counts in drawn) < 0.05 * n


def test_a_group_changed_where_its_images_turned_one_way_by_more_than_chance() -> None:
    from scipy.stats import binom

    def counted(lost: int, won: int) -> list[list[int]]:
        return [[40, won], [lost, 140]]

    assert 2 * (binom.cdf(1, 14, 0.5) + binom.pmf(2, 14, 0.5) / 2) == pytest.approx(0.0074, abs=1e-4)
    assert changed(np.array([counted(2, 12)])).tolist() == [1]
    assert changed(np.array([counted(12, 2)])).tolist() == [-1]
    assert changed(np.array([counted(0, 5)])).tolist() == [1], "half of 0.5^5 a side"
    assert changed(np.array([counted(0, 4)])).tolist() == [0], "half of 0.5^4 a side"
    others = [counted(0, 0), counted(4, 4), counted(0, 30)]
    assert changed(np.array([counted(2, 12), *others])).tolist() == [1, 0, 0, 1]
    more = [counted(0, 0)] * 3
    assert changed(np.array([counted(2, 12), *others, *more])).tolist()[:4] == [0, 0, 0, 1], "7 x 0.0074 is over 0.05"
    none = [[[0, 0], [0, 0]]] * 3
    assert changed(np.array([counted(2, 12), *others, *none])).tolist() == [1, 0, 0, 1, 0, 0, 0], "nothing was tested"
