import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from slim_core import metrics as m
from slim_core.data.groups import Grouping, group_index, group_names
from slim_core.metrics import (
    aiou,
    attention_precision,
    auroc,
    classification_metrics,
    confusion,
    difference_by_index,
    iou,
    name_classes,
    paired_difference,
    t_interval,
    wilson,
)


def one_hot(predictions, n_classes, sure=0.9):
    probabilities = np.full((len(predictions), n_classes), (1 - sure) / (n_classes - 1))
    probabilities[np.arange(len(predictions)), predictions] = sure
    return probabilities


def binary_case():
    """Groups of 4, 2, 2, 0 images with 4, 1, 2 right."""
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    attributes = np.array([0, 0, 0, 0, 1, 1, 0, 0])
    predictions = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    names = tuple(group_names(["a", "b"], ["x", "y"]))
    return labels, one_hot(predictions, 2), Grouping(group_index(labels, attributes, 2), names)


def test_worst_group_average_and_gap_on_a_case_counted_by_hand():
    result = classification_metrics(*binary_case(), None)
    assert result[m.WGA] == 0.5
    assert result[m.WORST_GROUP] == "a, y"
    assert result[m.AVERAGE] == pytest.approx(7 / 8)
    assert result[m.GAP] == pytest.approx(7 / 8 - 1 / 2)
    assert result[m.WORST_CLASS] == pytest.approx(5 / 6)
    assert result[m.CONFUSION] == [[5, 1], [0, 2]]


def test_of_groups_that_are_equally_bad_the_largest_is_the_worst():
    groups = [{"name": name, "n": n, "accuracy": rate} for name, n, rate in
              (("few", 5, 0.0), ("more", 15, 0.0), ("none", 0, None), ("well", 99, 0.9))]  # fmt: skip
    assert m.worst_of({m.GROUPS: groups})["name"] == "more"


def test_a_group_of_a_few_images_is_shown_as_the_worst_only_where_no_other_has_more():
    few, more = ({"name": name, "n": n, "accuracy": rate} for name, n, rate in (("few", 9, 0.0), ("more", 10, 0.5)))
    assert m.worst_shown({m.GROUPS: [few, more]}) == m.worst_judged({m.GROUPS: [few, more]}) == more
    assert m.worst_shown({m.GROUPS: [few]}) == few and m.worst_judged({m.GROUPS: [few]}) is None
    assert m.worst_rates({m.GROUPS: [few, more]}, {}) == (0.5, None)


def test_mistake_5_an_empty_group_has_no_accuracy_and_is_never_the_worst():
    groups = classification_metrics(*binary_case(), None)[m.GROUPS]
    assert groups[3] == {
        "group": 3,
        "name": "b, y",
        "n": 0,
        "correct": 0,
        "accuracy": None,
        "low": None,
        "high": None,
    }


def test_mistake_5_the_adjusted_average_weighs_groups_by_training_share_and_leaves_the_worst_out():
    result = classification_metrics(*binary_case(), np.array([60, 20, 20, 0]))
    assert result[m.ADJUSTED] == pytest.approx(0.6 * 1 + 0.2 * 0.5 + 0.2 * 1)
    values = [1, 0.5, 1]
    assert result[m.AVERAGE] != pytest.approx(np.mean([*values, min(values)]))


def test_the_adjusted_average_is_unknown_without_counts_or_for_a_group_nobody_evaluated():
    assert classification_metrics(*binary_case(), None)[m.ADJUSTED] is None
    assert classification_metrics(*binary_case(), np.array([1, 1, 1, 1]))[m.ADJUSTED] is None


def test_mistake_14_three_classes_and_three_attributes_give_nine_groups():
    labels = np.repeat([0, 1, 2], 6)
    attributes = np.tile([0, 1, 2], 6)
    predictions = labels.copy()
    predictions[0] = 2  # one of the two images of group (0, 0)
    names = tuple(group_names("abc", "xyz"))
    groups = Grouping(group_index(labels, attributes, 3), names)
    result = classification_metrics(labels, one_hot(predictions, 3), groups, np.ones(9))
    assert len(result[m.GROUPS]) == 9
    assert (result[m.WGA], result[m.WORST_GROUP]) == (0.5, "a, x")
    assert [row["accuracy"] for row in result[m.CLASSES]] == [pytest.approx(5 / 6), 1.0, 1.0]
    assert result[m.CLASSES][2]["f1"] == pytest.approx(2 * 6 / (6 + 7))
    assert np.array(result[m.CONFUSION]).tolist() == [[5, 0, 1], [0, 6, 0], [0, 0, 6]]


def test_results_are_plain_json_also_where_nothing_can_be_said():
    nothing = classification_metrics(np.zeros(0, int), np.zeros((0, 2)), Grouping(np.zeros(0, int), ("g",)), None)
    assert nothing[m.WGA] is None and nothing[m.AVERAGE] is None and nothing[m.WORST_GROUP] is None
    for result in (nothing, classification_metrics(*binary_case(), np.array([1, 1, 1, 0]))):
        assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_images_of_no_known_group_count_in_the_average_alone():
    labels, probabilities, groups = binary_case()
    unknown = Grouping(np.where(groups.index == 1, -1, groups.index), groups.names)
    result = classification_metrics(labels, probabilities, unknown, None)
    assert result[m.WGA] == 1.0
    assert result[m.AVERAGE] == pytest.approx(7 / 8)


def test_classes_can_be_called_by_name():
    result = name_classes(classification_metrics(*binary_case(), None), ["land", "water"])
    assert [row["name"] for row in result[m.CLASSES]] == ["land", "water"]


def test_every_number_that_is_shown_has_a_definition():
    shown = {m.WGA, m.AVERAGE, m.ADJUSTED, m.GAP, m.WORST_CLASS, m.AIOU, m.IOU, m.ATTENTION_PRECISION, m.COVERAGE}
    assert shown <= set(m.DEFINITIONS)


def test_the_wilson_interval_matches_published_values():
    low, high = wilson([81, 0, 29, 0], [263, 20, 29, 0])  # Newcombe 1998, table I
    assert (round(low[0], 4), round(high[0], 4)) == (0.2553, 0.3662)
    assert low[1] == 0 and round(high[1], 4) == 0.1611
    assert high[2] == 1.0
    assert math.isnan(low[3]) and math.isnan(high[3])


def test_the_wilson_interval_of_none_and_of_all_ends_exactly_there():
    n = np.arange(1, 200)
    (low, _), (_, high) = wilson(0 * n, n), wilson(n, n)
    assert (low == 0).all() and (high == 1).all()


def test_the_wilson_intervals_of_a_whole_table_equal_scipys():
    from scipy.stats import binomtest

    rates = [(k, n) for n in (1, 2, 7, 600, 10**6) for k in {0, 1, n // 3, n - 1, n}]
    low, high = wilson(*np.transpose(rates))
    expected = [binomtest(k, n).proportion_ci(method="wilson") for k, n in rates]
    assert low == pytest.approx([one.low for one in expected], abs=1e-12)
    assert high == pytest.approx([one.high for one in expected], abs=1e-12)


def test_the_area_under_the_curve_counts_ties_half_and_is_unknown_where_one_side_is_empty():
    assert auroc(np.array([True, False]), np.array([0.5, 0.5])) == 0.5
    assert auroc(np.array([True, True, False, False]), np.array([0.9, 0.4, 0.4, 0.1])) == 3.5 / 4
    assert math.isnan(auroc(np.ones(3, bool), np.arange(3)))
    assert math.isnan(auroc(np.zeros(0, bool), np.zeros(0)))


def test_the_area_of_a_sure_model_is_that_of_its_logits_in_either_class():
    logits = np.array([25.0, 30, 20, 28, -3, -22, -27, 24])  # of class 1 less class 0: in float32 most are sure
    labels, groups = np.array([1, 1, 0, 1, 0, 0, 0, 0]), Grouping(np.zeros(8, int), ("all",))
    probabilities = softmax(np.stack([-logits / 2, logits / 2], axis=1).astype(np.float32), axis=1)
    assert (probabilities == 1).sum() > 4
    rows = classification_metrics(labels, probabilities, groups, None)[m.CLASSES]
    assert [row["auroc"] for row in rows] == [auroc(labels == 1, logits)] * 2 == [1.0] * 2


def test_a_model_whose_probabilities_are_no_numbers_has_no_area_and_still_its_accuracies():
    labels, probabilities, groups = binary_case()
    result = classification_metrics(labels, probabilities * math.nan, groups, None)
    assert [row["auroc"] for row in result[m.CLASSES]] == [None, None]
    assert result[m.AVERAGE] == 0.75


def test_a_class_that_neither_occurs_nor_is_predicted_has_no_numbers():
    labels, groups = np.array([0, 0, 1]), Grouping(np.zeros(3, int), ("all",))
    result = classification_metrics(labels, one_hot([0, 1, 1], 4), groups, None)
    assert [row["f1"] for row in result[m.CLASSES]] == [pytest.approx(2 / 3), pytest.approx(2 / 3), None, None]
    assert [row["accuracy"] for row in result[m.CLASSES]] == [0.5, 1.0, None, None]
    assert [row["auroc"] is None for row in result[m.CLASSES]] == [False, False, True, True]
    assert np.shape(result[m.CONFUSION]) == (4, 4)


def test_a_class_without_images_has_no_number_though_it_is_predicted() -> None:
    probabilities = np.array([[0.9, 0.0, 0.1], [0.1, 0.0, 0.9], [0.1, 0.0, 0.9]])
    labels = np.array([0, 0, 1])
    result = m.classification_metrics(labels, probabilities, Grouping(labels, ("a", "b", "c"), estimated=True))
    absent = result[m.CLASSES][2]
    assert (absent["n"], absent["accuracy"], absent["auroc"], absent["f1"]) == (0, None, None, None)
    assert result[m.WORST_CLASS] == 0.0 and result[m.CLASSES][1]["f1"] is not None


def test_the_confusion_matrix_has_true_classes_in_rows():
    assert confusion(np.array([0, 0, 1]), np.array([1, 0, 1]), 3).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


M = np.array([[1.0, 0.5], [0.0, 0.9]])
G = np.array([[1.0, 0.0], [1.0, 1.0]])


def test_iou_of_a_map_and_a_mask_by_hand():
    assert iou(M, G) == pytest.approx((1 + 0 + 0 + 0.9) / (1 + 0.5 + 1 + 1))
    assert iou(G, G) == 1.0
    assert iou(np.zeros((2, 2)), G) == 0.0
    assert math.isnan(iou(np.zeros((2, 2)), np.zeros((2, 2))))


def test_attention_precision_at_a_threshold_by_hand():
    assert attention_precision(M, G, 0.8) == 1.0
    assert attention_precision(M, 1 - G, 0.8) == 0.0
    assert attention_precision(M, G, 0.5) == pytest.approx(1.9 / 2.4)
    assert math.isnan(attention_precision(np.zeros((2, 2)), G))


def test_mistake_2_attention_precision_leaves_the_callers_map_as_it_was():
    mine = M.copy()
    before = iou(mine, G)
    attention_precision(mine, G, 0.8)
    assert np.array_equal(mine, M)
    assert iou(mine, G) == before


def test_aiou_by_hand_and_its_two_ends():
    good, bad = G.copy(), 1 - G
    assert aiou(np.stack([good, bad]), G, 0) == 1.0
    assert aiou(np.stack([good, bad]), G, 1) == 0.0
    assert aiou(np.stack([M, M]), G, 0) == 0.5
    first, second = iou(M, G), iou(1 - M, G)
    assert aiou(np.stack([M, 1 - M]), G, 0) == pytest.approx(first / (first + second))


def test_mistake_4_aiou_takes_the_true_classs_map_whatever_was_predicted():
    maps = np.stack([1 - G, M])  # the model predicts class 0 by looking at the background; the truth is class 1
    assert aiou(maps, G, label=1) == 1.0
    wrongly = iou(maps[0], G) / (iou(maps[0], G) + iou(maps[0], G) or math.nan)
    assert math.isnan(wrongly)


def test_aiou_compares_with_the_best_of_several_other_classes():
    maps = np.stack([M, 1 - G, G])
    assert aiou(maps, G, 0) == pytest.approx(iou(M, G) / (iou(M, G) + 1))


def test_aiou_over_an_empty_mask_or_empty_maps_is_unknown():
    assert math.isnan(aiou(np.stack([M, M]), np.zeros((2, 2)), 0))
    assert math.isnan(aiou(np.zeros((2, 2, 2)), G, 0))


def test_the_paired_interval_equals_scipys_t_interval():
    from scipy import stats

    a, b = [0.9, 0.8, 0.85, 0.95, 0.7], [0.7, 0.75, 0.8, 0.7, 0.72]
    result = paired_difference(a, b)
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (result["low"], result["high"]) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert result["n"] == 5 and result["mean"] == pytest.approx(np.mean(a) - np.mean(b))


def test_the_interval_of_seeds_that_part_one_pool_is_that_of_nadeau_and_bengio():
    # Student's t at 0.975 with 2 degrees of freedom: 4.302653; sd² (1/3 + 0.25/0.6) = sd² 0.75
    plain, corrected = t_interval(3, 0.2, 0.1), t_interval(3, 0.2, 0.1, 0.25 / 0.6)
    assert plain == pytest.approx((0.2 - 0.4302653 / math.sqrt(3), 0.2 + 0.4302653 / math.sqrt(3)))
    assert corrected == pytest.approx((0.2 - 0.4302653 * math.sqrt(0.75), 0.2 + 0.4302653 * math.sqrt(0.75)))
    assert all(math.isnan(bound) for n in (0, 1, 2) for bound in t_interval(n, 0.2, 0.1, 0.25 / 0.6))


def test_pairs_are_those_with_an_index_in_both():
    a, b = pd.Series({0: 0.9, 1: 0.8, 5: 0.2, 3: 0.8}), pd.Series({1: 0.7, 0: 0.7, 2: 0.1, 3: 0.5})
    assert difference_by_index(a, b) == paired_difference([0.9, 0.8, 0.8], [0.7, 0.7, 0.5])
    one, none = difference_by_index(a, b.loc[[1]]), difference_by_index(a, b.iloc[:0])
    assert one["mean"] == pytest.approx(0.1) and math.isnan(one["low"]) and one["n"] == 1
    assert math.isnan(none["mean"]) and none["n"] == 0


def test_one_pair_has_a_mean_and_no_interval():
    alone = {"n": 1, "mean": pytest.approx(0.4), "sd": None, "low": None, "high": None}
    assert paired_difference([0.9], [0.5]) == alone
    assert paired_difference([], [])["mean"] is None
    assert paired_difference([0.9, math.nan], [0.5, 0.1])["n"] == 1
    with pytest.raises(ValueError, match="as many values"):
        paired_difference([1.0], [])


def test_two_pairs_have_a_mean_and_an_sd_and_no_interval():
    of_two = paired_difference([0.9, 0.8], [0.7, 0.7])
    mean, sd = pytest.approx(0.15), pytest.approx(0.05 * 2**0.5)
    assert of_two == {"n": 2, "mean": mean, "sd": sd, "low": None, "high": None}


def test_equal_differences_have_no_interval_unless_each_is_nothing() -> None:
    alike = paired_difference([0.7, 0.75, 0.8], [0.6, 0.65, 0.7])
    assert alike["mean"] == pytest.approx(0.1) and alike["low"] is alike["high"] is None
    nothing = {"n": 3, "mean": 0.0, "sd": 0.0, "low": 0.0, "high": 0.0}
    assert paired_difference([0.7, 0.75, 0.8], [0.7, 0.75, 0.8]) == nothing
    assert paired_difference([0.7, 0.76, 0.8], [0.6, 0.65, 0.7])["low"] < 0.1


def test_one_image_of_no_known_group_is_said_in_the_singular():
    assert "1 of 3 images belongs" in m.ungrouped({m.N: 3, m.GROUPS: [{"name": "a", "n": 2}]})
    assert m.ungrouped({m.N: 3, m.GROUPS: [{"name": "a", "n": 3}]}) == ""


def test_of_estimated_groups_those_without_images_are_not_listed_and_of_known_ones_all_are() -> None:
    empty = {"name": "fox, environment 1", "n": 0}
    found = {m.GROUPS: [{"name": "fox, environment 0", "n": 2}, empty], m.CLASSES: [{"name": "fox"}]}
    assert m.listed_groups(found) == found[m.GROUPS]
    assert m.listed_groups(found | {m.ESTIMATED_GROUPS: True}) == found[m.GROUPS][:1]
    only_classes = {m.GROUPS: [{"name": "fox", "n": 0}], m.CLASSES: [{"name": "fox"}], m.ESTIMATED_GROUPS: True}
    assert m.listed_groups(only_classes) == only_classes[m.GROUPS], "a class without images is told"
