"""S6: which images are trusted."""

import numpy as np
import pytest

from slim_core.curation import KEEP_RULES, CurateOptions, data, keep, trusted
from slim_core.errors import SpecRefusedError
from slim_core.store.campaigns import consensus as answer_values
from tests.refusals import missing

SCORES = np.array([0.1, 0.4, 0.6, 0.9, 0.5, 0.7, 0.8, 0.95])
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1])


def kept(scores: np.ndarray, labels: np.ndarray = LABELS, **options) -> list[int]:
    return np.flatnonzero(keep(scores, labels, CurateOptions(**options)).mask).tolist()


def test_the_three_rules_keep_what_they_say():
    assert kept(SCORES) == [2, 3, 4, 5, 6, 7]
    assert kept(SCORES, keep="threshold", threshold=0.75) == [3, 6, 7]
    assert kept(SCORES, keep="quantile", quantile=0.5) == [2, 3, 6, 7]
    assert kept(SCORES, keep="median") == [3, 5, 6, 7]
    found = {rule: keep(SCORES, LABELS, CurateOptions(keep=rule)).report for rule in KEEP_RULES}
    assert [(rule, report["rule"], [each["kept"] for each in report["classes"]]) for rule, report in found.items()] == [
        ("threshold", "threshold", [2, 4]), ("quantile", "quantile", [2, 2]), ("median", "median", [1, 3]),
    ]  # fmt: skip
    three = np.array([0, 0, 0, 1, 1, 1, 2, 2])  # a quantile is that of the own class, not of another's
    by_quantile = CurateOptions(keep="quantile", quantile=0.5)
    assert np.flatnonzero(trusted(SCORES, three, by_quantile)).tolist() == [1, 2, 3, 5, 7]


@pytest.mark.parametrize("rule", KEEP_RULES)
def test_scores_that_are_all_right_but_for_rounding_and_classes_without_any_are_kept_whole_by_every_rule(rule):
    rounded = 1 - np.random.default_rng(0).random(8) * 1e-9
    assert kept(np.ones(8), keep=rule) == kept(rounded, keep=rule) == list(range(8))
    assert kept(np.where(LABELS == 0, np.nan, SCORES), keep=rule)[:4] == [0, 1, 2, 3]


def test_the_threshold_keeps_more_of_a_class_with_more_right_answers():
    few_right = np.concatenate([np.full(90, 0.05), np.full(10, 0.9), np.full(10, 0.05), np.full(90, 0.9)])
    result = keep(few_right, np.repeat([0, 1], 100))
    assert [c["kept"] for c in result.report["classes"]] == [10, 90]  # min-max and a median would keep half of each


def test_scores_are_compared_as_they_are_not_scaled_within_their_class():
    scores = np.array([0.01, 0.02, 0.03, 0.04, 0.6, 0.7, 0.8, 0.9])  # min-max would lift 0.04 to 1
    result = keep(scores, LABELS, CurateOptions(threshold=0.03))
    assert np.flatnonzero(result.mask).tolist() == [2, 3, 4, 5, 6, 7]
    pooled = keep(scores, LABELS, CurateOptions(keep="median"))  # only class 1 lies above it: class 0 falls back
    assert pooled.mask[4:].all()
    assert "image of class 0 reaches" in pooled.notes[0]


@pytest.mark.parametrize(
    ("scores", "kept_of_it", "named"),
    [
        ([np.nan] * 4, [0, 1, 2, 3], ("No answer", "all its 4 images")),
        ([0.1, 0.4, 0.6, 0.9], [2, 3], ("0.920 (the best is 0.900)", "2 best of its 4 images")),
        ([0.0] * 4, [0, 1, 2, 3], ("0.920 (the best is 0.000)", "all its 4 images", "a better half")),
        ([np.nan], [0], ("No answer", "its only image")),
        ([0.2], [0], ("0.920 (the best is 0.200)", "its only image")),
    ],
)
def test_of_a_class_in_which_nothing_passes_others_are_kept_and_that_is_said(scores, kept_of_it, named):
    for names, called in (((), "0"), (("landbird",), "landbird")):
        result = keep(np.array(scores), np.zeros(len(scores), int), CurateOptions(threshold=0.92), names)
        assert np.flatnonzero(result.mask).tolist() == kept_of_it
        assert not missing(result.notes[0], f"class {called}", *named)


def test_what_is_kept_in_place_of_trusted_images_is_not_trusted():
    all_wrong, unanswered = np.where(LABELS == 0, 0.0, SCORES), np.where(LABELS == 0, np.nan, SCORES)
    for scores in (all_wrong, unanswered):
        result = keep(scores, LABELS)
        assert result.mask[:4].all() and not result.trusted[:4].any()
        assert (result.report["kept"], result.report["trusted"]) == (8, 4)
        assert [each["trusted"] for each in result.report["classes"]] == [0, 4]
        assert np.array_equal(result.trusted, trusted(scores, LABELS))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"keep": "mean"}, "The keep rule is 'mean': choose one of threshold, quantile, median"),
        ({"threshold": 1.2}, "The threshold is 1.2"),
        ({"quantile": -0.1}, "The quantile is -0.1"),
        ({"max_repeats": 0}, "max_repeats is 0"),
    ],
)
def test_options_check_themselves(wrong, said):
    with pytest.raises(SpecRefusedError, match=said):
        CurateOptions(**wrong)


def test_answers_have_the_values_of_the_store() -> None:
    assert (data.RIGHT, data.UNANSWERED) == (answer_values.RIGHT, answer_values.UNSURE)
