"""Answers in the fit of a last layer, on a problem with a known answer."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core.errors import SpecRefusedError
from slim_core.training.last_layer import REFITS, Layer, PooledImages, Refit, RefitData, regions

CAMPAIGN = {"campaign": "c-1", "answers_seq": 1, "space": "r-1"}
STRENGTHS = [0.01]  # one, so that nothing is chosen


def images(n: int, follows: float, seed: int) -> PooledImages:
    """Feature 0 is the class and noise, feature 1 a mark that a share of the images have as their class does."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    mark = np.where(rng.random(n) < follows, labels, 1 - labels)
    features = np.stack([2 * labels - 1 + rng.normal(0, 1, n), 2 * mark - 1 + rng.normal(0, 0.2, n)], axis=1)
    return PooledImages(features, labels)


def problem(surroundings: np.ndarray | None) -> RefitData:
    """The mark tells the class in what is fitted and in validation."""
    return RefitData(
        images(400, 0.97, 0),
        images(200, 0.97, 1),
        Layer(np.zeros((2, 2)), np.zeros(2)),
        ("a", "b"),
        surroundings=surroundings,
    )


def marks_alone() -> np.ndarray:
    """What wrong attention is on: the mark, either way, and nothing of the object."""
    return np.array([[0.0, 1.0], [0.0, -1.0]] * 12)


def answered(**options: object) -> Refit:
    return REFITS["answered"]({**CAMPAIGN, "strengths": STRENGTHS, "weight": 1.0, **options}, 0)


def leans_on_mark(layer: Layer) -> float:
    weight = np.abs(layer.weight[1] - layer.weight[0])
    return float(weight[1] / weight[0])


def accuracy(layer: Layer, follows: float) -> float:
    test = images(2000, follows, 2)
    return float((layer.predict(test.features) == test.labels).mean())


def test_what_people_say_is_no_part_of_the_class_counts_less_and_accuracy_without_it_is_higher() -> None:
    plain = REFITS["l2"]({"strengths": STRENGTHS, "class_balanced": False}, 0).fit(problem(None))
    told = answered().fit(problem(marks_alone()))
    assert leans_on_mark(told) < 0.5 * leans_on_mark(plain)
    assert accuracy(told, 0.5) > accuracy(plain, 0.5) + 0.05, "where the mark tells nothing"


def test_answers_that_call_the_object_no_part_of_the_class_move_the_layer_the_other_way() -> None:
    plain = REFITS["l2"]({"strengths": STRENGTHS, "class_balanced": False}, 0).fit(problem(None))
    objects = marks_alone()[:, ::-1]
    assert leans_on_mark(answered().fit(problem(objects))) > 2 * leans_on_mark(plain)


def test_the_more_answers_weigh_the_less_the_mark_counts_and_without_weight_it_is_l2() -> None:
    leaning = [leans_on_mark(answered(weight=w).fit(problem(marks_alone()))) for w in (0.0, 0.01, 0.1, 1.0, 10.0)]
    assert leaning == sorted(leaning, reverse=True)
    plain = REFITS["l2"]({"strengths": STRENGTHS, "class_balanced": False}, 0).fit(problem(None))
    assert leaning[0] == pytest.approx(leans_on_mark(plain), rel=1e-3)


def test_how_many_regions_there_are_does_not_change_what_they_weigh() -> None:
    some, many = (answered().fit(problem(np.tile(marks_alone(), (times, 1)))) for times in (1, 5))
    np.testing.assert_allclose(some.weight, many.weight, rtol=1e-2)


def test_three_classes_are_all_made_equally_likely_in_a_region() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    features = np.eye(3)[labels] * 2 + rng.normal(0, 0.5, (300, 3))
    shape = PooledImages(features, labels)
    region = np.tile(np.eye(3)[:1] * 2, (10, 1))  # what tells the first class
    data = RefitData(shape, shape, Layer(np.zeros((3, 3)), np.zeros(3)), ("a", "b", "c"), surroundings=region)
    told, plain = (
        answered(weight=10.0).fit(data),
        REFITS["l2"]({"strengths": STRENGTHS, "class_balanced": False}, 0).fit(data),
    )
    assert plain.probabilities(region)[0].max() > 0.9
    assert np.ptp(told.probabilities(region)[0]) < 0.1


def test_where_every_answered_map_is_empty_it_is_refused_in_a_sentence() -> None:
    with pytest.raises(SpecRefusedError, match="image is empty.*refit by l2"):
        answered().fit(problem(np.empty((0, 2))))


def test_a_region_has_the_mean_features_of_what_lies_outside_right_and_inside_wrong_attention() -> None:
    rng = np.random.default_rng(0)
    A = rng.random((3, 4, 5, 5))  # (m, K, U, V)
    S = np.maximum(rng.normal(size=(3, 5, 5)), 0)
    S[2] = 0  # an empty map
    around = 1 - S / np.maximum(S.max((1, 2), keepdims=True), 1e-9)
    attended, outside = (np.einsum("mkuv,muv->mk", A, w) for w in (S, around))
    found = regions(S, attended, outside, np.array([True, False, True]))
    expected = [
        (A[0] * around[0]).sum((1, 2)) / around[0].sum(),  # right: what lies outside
        (A[1] * S[1]).sum((1, 2)) / S[1].sum(),  # wrong: what it is on
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_map_that_never_falls_to_zero_is_scaled_to_its_lowest_value_as_in_the_pass() -> None:
    A, S = np.ones((1, 2, 2, 2)), np.array([[[1.0, 3.0], [2.0, 3.0]]])
    reverse = 1 - (S - 1) / 2
    outside = np.einsum("mkuv,muv->mk", A, reverse)
    np.testing.assert_allclose(regions(S, outside, outside, np.array([True])), [[1.0, 1.0]])
