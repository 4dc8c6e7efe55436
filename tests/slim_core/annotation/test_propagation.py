"""S5: from a few answers to a score for every image."""

import tracemalloc

import numpy as np
import pytest
from sklearn.semi_supervised import LabelSpreading

from slim_core.annotation import propagation
from slim_core.annotation.propagation import standardise
from slim_core.errors import AnswersRefusedError
from tests.refusals import refusal


def space(n: int, n_answers: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points in threads and clumps, as UMAP makes them, and answers that differ from region to region."""
    rng = np.random.default_rng(seed)
    clump = rng.integers(0, 12, n)
    points = (rng.normal(size=(12, 2)) * 6)[clump] + rng.normal(size=(n, 2)) * rng.uniform(0.05, 1.2, 12)[clump, None]
    answers = np.full(n, -1, np.int8)
    asked = rng.choice(n, n_answers, replace=False)
    answers[asked] = (clump[asked] % 2) ^ (rng.random(n_answers) < 0.15)
    return points, answers


def expand(points, labels, answers, gammas=propagation.GAMMAS, method="auto"):
    """The scores: of every class pair by pair ("exact"), smoothed or all of it on the grid, or as its size says."""
    above = {"exact": len(points), "grid": 0, "whole grid": 0, "auto": propagation.BLUR_ABOVE}[method]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(propagation, "BLUR_ABOVE", above)
        patch.setattr(propagation, "REGRESS_ABOVE", 0 if method == "whole grid" else propagation.REGRESS_ABOVE)
        return propagation.expand(points, labels, answers, gammas)


def sklearn_scores(points: np.ndarray, answers: np.ndarray, gamma: float) -> np.ndarray:
    x = (points - points.mean()) / points.std()
    model = LabelSpreading(kernel="rbf", gamma=gamma, alpha=1e-6).fit(x, answers)
    return model.predict_proba(x)[:, list(model.classes_).index(1)]


@pytest.mark.parametrize(("n", "n_answers", "seed"), [(12, 4, 0), (60, 8, 1), (500, 20, 2), (1500, 45, 3)])
def test_the_closed_form_equals_label_spreading_in_every_class(n, n_answers, seed):
    first, second = space(n, n_answers, seed), space(n, n_answers, seed + 10)
    points = np.concatenate([first[0], second[0]])
    answers = np.concatenate([first[1], second[1]])
    labels = np.repeat([0, 1], n)
    expected = np.concatenate([sklearn_scores(*first, gamma=10), sklearn_scores(*second, gamma=5)])
    np.testing.assert_allclose(expand(points, labels, answers, method="exact"), expected, atol=1e-8, rtol=0)


def test_many_images_are_taken_in_parts_and_score_the_same(monkeypatch):
    points, answers = space(200, 30)
    whole = expand(points, np.zeros(200, int), answers, method="exact")
    monkeypatch.setattr(propagation, "CHUNK_ENTRIES", 60)
    np.testing.assert_allclose(expand(points, np.zeros(200, int), answers, method="exact"), whole, atol=1e-12)


def test_the_scores_of_a_fixed_input_are_fixed():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.5], [4.0, 0.0]])
    answers = np.array([1, -1, -1, -1, 0])
    scores = expand(points, np.zeros(5, int), answers)
    np.testing.assert_allclose(scores, [1.0, 0.9964204, 0.3460285, 0.0005131, 0.0], atol=5e-8)


@pytest.mark.parametrize("seed", range(5))
def test_the_grid_keeps_the_same_images_as_the_exact_method(seed):
    points, answers = space(6000, 90, seed)
    labels = np.zeros(6000, int)
    exact = expand(points, labels, answers, method="exact")
    grid = expand(points, labels, answers, method="grid")
    assert np.abs(exact - grid).max() < 2e-3
    for cut in (0.5, float(np.median(exact)) - 1e-3):
        assert ((exact >= cut) == (grid >= cut)).mean() >= 0.999


@pytest.mark.slow
def test_the_exact_method_never_holds_a_matrix_of_all_pairs():
    points, answers = space(12_000, 40)
    tracemalloc.start()
    expand(points, np.zeros(12_000, int), answers, method="exact")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000**2 * 8 / 4  # 288 MB, where one such matrix takes 1,152


@pytest.mark.parametrize("method", ["grid", "whole grid"])
@pytest.mark.parametrize("gamma", [1e-300, 0.1, 100.0, 1000.0, 1e6])
def test_a_kernel_of_any_width_is_smoothed_on_a_grid_of_bounded_size(gamma, method):
    points, answers = space(3000, 60)
    scores = expand(points, np.zeros(3000, int), answers, (gamma,), method)
    assert np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1


@pytest.mark.parametrize("seed", [0, 1])
def test_many_answers_are_regressed_on_the_grid_as_pair_by_pair(seed):
    points, answers = space(5000, 1000, seed)
    exact, quick = (expand(points, np.zeros(5000, int), answers, method=method) for method in ("exact", "whole grid"))
    np.testing.assert_allclose(quick, exact, atol=5e-3)
    assert ((quick > 0.5) == (exact > 0.5)).mean() > 0.999


def test_an_outlier_makes_the_grid_no_larger():
    points, answers = space(3000, 60)
    points[0] = [4e5, -7e5]
    answers[0] = -1
    body = expand(points, np.zeros(3000, int), answers, method="exact")
    grid = expand(points, np.zeros(3000, int), answers, method="grid")
    assert np.isfinite(grid).all()
    np.testing.assert_allclose(grid, body, atol=5e-3)


@pytest.mark.parametrize("method", ["exact", "grid", "whole grid"])
@pytest.mark.parametrize(
    ("points", "answers", "score"),
    [
        (space(400, 20)[0], np.where(space(400, 20)[1] != -1, 0, -1), 0),
        (space(400, 20)[0], np.where(space(400, 20)[1] != -1, 1, -1), 1),
        (np.zeros((1, 2)), np.array([1]), 1),
        (np.ones((6, 2)), np.array([1, 1, 0, 0, -1, -1]), pytest.approx(0.5, abs=1e-6)),  # at one place: the mean
    ],
)
def test_where_answers_agree_or_images_lie_at_one_place_all_score_alike(method, points, answers, score):
    assert all(each == score for each in expand(points, np.zeros(len(points), int), answers, method=method))


@pytest.mark.parametrize(("answers", "named"), [([1, 0, 1], ("4 points",)), ([1, 0, 2, 0], ("is 2",))])
def test_answers_of_another_space_or_of_no_value_are_refused(answers, named):
    with refusal(AnswersRefusedError, *named):
        expand(np.zeros((4, 2)), np.zeros(4, int), np.array(answers))


@pytest.mark.parametrize("method", ["exact", "grid", "whole grid"])
def test_points_far_from_every_answer_take_the_nearest_one_and_are_never_nan(method):
    near = np.random.default_rng(0).normal(size=(400, 2)) * 0.01
    far = np.array([[100.0, 0.0], [-100.0, 0.0]])
    points = np.concatenate([near, far])
    answers = np.full(402, -1)
    left, right = near[:, 0].argmin(), near[:, 0].argmax()
    answers[left], answers[right] = 0, 1
    scores = expand(points, np.zeros(402, int), answers, method=method)
    assert np.isfinite(scores).all()
    assert scores[400] > 0.5 > scores[401]
    with pytest.warns(RuntimeWarning, match="invalid value"):  # what it guards against: 0/0
        assert np.isnan(sklearn_scores(points, answers, gamma=10)[400:]).all()


def test_an_answered_image_far_from_all_others_keeps_its_answer():
    points, answers = space(300, 10)
    points[0], answers[0] = [1e4, 1e4], 1
    points[1], answers[1] = [-1e4, 1e4], 0
    scores = expand(points, np.zeros(300, int), answers)
    assert scores[0] == pytest.approx(1, abs=1e-5)
    assert scores[1] == pytest.approx(0, abs=1e-5)


def test_classes_do_not_influence_each_other():
    points, answers = space(400, 30)
    labels = np.arange(400) % 2
    both = expand(points, labels, answers)
    other = np.where(labels == 1, -1, answers)
    np.testing.assert_array_equal(both[labels == 0], expand(points, labels, other)[labels == 0])


def test_a_class_without_answers_has_no_scores_and_unsure_ones_are_none():
    points, answers = space(300, 30)
    labels = np.arange(300) % 3
    answers = np.where(labels == 1, -1, answers)
    scores = expand(points, labels, answers)
    assert np.isnan(scores[labels == 1]).all()
    assert np.isfinite(scores[labels != 1]).all()


def test_the_classes_after_the_last_gamma_share_it():
    points, answers = space(200, 20)
    third = expand(points, np.full(200, 2), answers)
    np.testing.assert_array_equal(third, expand(points, np.ones(200, int), answers))
    assert np.abs(third - expand(points, np.zeros(200, int), answers)).max() > 1e-3


def test_the_scores_do_not_depend_on_the_order_the_scale_or_the_place_of_the_points():
    points, answers = space(700, 30)
    labels = np.zeros(700, int)
    straight = expand(points, labels, answers)
    order = np.random.default_rng(1).permutation(700)
    np.testing.assert_allclose(expand(points[order], labels, answers[order]), straight[order], atol=1e-12)
    np.testing.assert_allclose(expand(points * 1000 + 77, labels, answers), straight, atol=1e-9)


def test_standardising_keeps_the_aspect_ratio():
    points = np.random.default_rng(0).normal(size=(100, 2)) * [10, 1]
    x = standardise(points)
    assert x.std() == pytest.approx(1)
    assert np.ptp(x[:, 0]) / np.ptp(x[:, 1]) == pytest.approx(np.ptp(points[:, 0]) / np.ptp(points[:, 1]))
