"""Retraining the last layer: it removes a spurious feature, and is tuned on images it has not fitted, by class."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from slim_core.errors import SpecRefusedError
from slim_core.models.build import build
from slim_core.models.inference import predict
from slim_core.training import last_layer
from slim_core.training.last_layer import L1, Layer, PooledImages, RefitData, apply_last_layer, read_last_layer
from tests.slim_core.painted import painted_table

GRID = (1.0, 0.1, 0.01)


def features(n, agreement, seed, n_classes=2):
    """(n, 20) noise with a weak true feature 0 and a strong spurious feature 1; labels, attributes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    attributes = np.where(rng.random(n) < agreement, labels, rng.integers(0, n_classes, n))
    pooled = rng.normal(0, 1, (n, 20))
    pooled[:, 0] = labels * 3 + rng.normal(0, 0.8, n) + 100  # far from 0, for the standardisation
    pooled[:, 1] = attributes * 30 + rng.normal(0, 1, n)
    return pooled.astype(np.float32), labels, attributes


def accuracy_of(weight, bias, pooled, labels):
    return ((pooled @ weight.T + bias).argmax(1) == labels).mean()


def fit(train, val, **options):
    """Weight and bias, as float32."""
    pooled, labels, _ = train
    val_pooled, val_labels, _ = val
    fitted = PooledImages(pooled, labels, options.pop("counts", None))
    chosen_by = PooledImages(val_pooled, val_labels, groups=options.pop("val_groups", None))
    names = tuple(map(str, range(int(max(labels.max(), val_labels.max(initial=0))) + 1)))
    data = RefitData(fitted, chosen_by, Layer(np.zeros((1, 1)), np.zeros(1)), names)
    layer = last_layer.fit_balanced(data, labels, **{"seed": 0, "grid": GRID, "n_refits": 5, **options})
    return layer.weight.astype(np.float32), layer.bias.astype(np.float32)


def test_a_balanced_subset_takes_the_spurious_feature_out():
    biased, balanced = features(400, 0.95, 0), features(400, 0.0, 1)
    val, (pooled, labels, attributes) = features(300, 0.0, 2), features(2000, 0.0, 3)
    rare = labels != attributes
    from_biased = accuracy_of(*fit(biased, biased), pooled[rare], labels[rare])
    from_balanced = accuracy_of(*fit(balanced, val), pooled[rare], labels[rare])
    assert from_balanced > 0.9 > from_biased


def test_three_classes_are_fitted_one_against_the_rest():
    weight, bias = fit(features(600, 0.0, 0, 3), features(300, 0.0, 1, 3))
    assert weight.shape == (3, 20) and bias.shape == (3,) and weight.dtype == np.float32
    pooled, labels, _ = features(1000, 0.0, 2, 3)
    pooled[:, 0] = np.where(labels == 1, 100 + 9, pooled[:, 0])  # a line tells the ends apart, not the middle
    assert accuracy_of(weight, bias, pooled[labels != 1], labels[labels != 1]) > 0.85


def test_two_classes_give_the_probabilities_of_the_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    pooled, labels, _ = features(200, 0.0, 0)
    rows = np.concatenate([np.flatnonzero(labels == c)[:80] for c in (0, 1)])
    pooled, labels = pooled[rows], labels[rows]
    weight, bias = fit((pooled, labels, None), features(50, 0.0, 1), grid=(0.1,))
    X = ((pooled - pooled.mean(0, dtype=np.float64)) / pooled.std(0, dtype=np.float64))[np.argsort(rows)]
    expected = LogisticRegression(**last_layer.l1_penalty(), C=0.1, solver="liblinear", random_state=0).fit(
        X, labels[np.argsort(rows)]
    )
    p = torch.softmax(torch.from_numpy(pooled @ weight.T + bias), 1).numpy()[np.argsort(rows)]
    assert np.abs(p - expected.predict_proba(X)).max() < 1e-3


def tuned_on(monkeypatch, *args, **options):
    """(fitted rows, scored images) of each trial while C is chosen."""
    seen = []
    mean_layer, predict_of = last_layer.mean_layer, Layer.predict

    def spy_fit(images, *rest):
        seen.append(images.X.copy())
        return mean_layer(images, *rest)

    def spy_predict(layer, X):
        seen.append(X.copy())
        return predict_of(layer, X)

    monkeypatch.setattr(last_layer, "mean_layer", spy_fit)
    monkeypatch.setattr(Layer, "predict", spy_predict)
    fit(*args, grid=(0.1,), **options)
    return seen[0], seen[1]


def test_the_penalty_is_never_tuned_on_the_images_it_is_fitted_on(monkeypatch):
    """Mistake 13 of METHOD section 3."""
    nothing = np.empty((0, 20), np.float32), np.empty(0, np.int64), None
    for val in (features(60, 0.0, 1), nothing):
        with monkeypatch.context() as patch:
            fitted, scored = tuned_on(patch, features(100, 0.0, 0), val)
        assert not {row.tobytes() for row in fitted} & {row.tobytes() for row in scored}
        assert len(scored) in (60, 50, 49, 51)


def test_the_penalty_is_chosen_by_worst_class_and_by_worst_group_only_when_groups_are_given(monkeypatch):
    """Mistake 13: group labels are an oracle, never used silently."""
    y_val = np.array([0] * 10 + [1] * 10)
    groups = np.array([0] * 8 + [1] * 2 + [2] * 10)
    even, uneven = np.ones(20, bool), np.ones(20, bool)
    even[[0, 8, 10, 11]] = False  # worst class 80 %, worst group 50 %
    uneven[[0, 1, 2, 10]] = False  # worst class 70 %, worst group 5/8
    right_at = {1.0: even, 0.1: uneven}

    class Fake:
        def __init__(self, C):
            self.C = C

        def predict(self, _):
            return np.where(right_at[self.C], y_val, 1 - y_val)

    asked = []
    monkeypatch.setattr(last_layer, "mean_layer", lambda _images, C, _n, _seed: asked.append(C) or Fake(C))
    train, val = features(20, 0.0, 0), (np.zeros((20, 20)), y_val, None)
    for val_groups, best in ((None, 1.0), (groups, 0.1)):
        with pytest.raises(AttributeError, match="folded"):  # of the fake, once the penalty is chosen
            fit(train, val, grid=(1.0, 0.1), val_groups=val_groups)
        assert asked[-1] == best


def test_counts_weigh_an_image_like_its_copies():
    pooled, labels, attributes = features(80, 0.0, 0)
    order = np.argsort(labels, kind="stable")
    pooled, labels = pooled[order], labels[order]
    n = min(np.bincount(labels))
    rows = np.concatenate([np.flatnonzero(labels == c)[:n] for c in (0, 1)])
    X, y = pooled[rows].astype(np.float64), labels[rows]
    counts = np.where(np.arange(2 * n) % 2, 1.0, 3.0)
    copies = np.repeat(np.arange(2 * n), counts.astype(int))
    images = last_layer.Standardised(X - X.mean(0), y, counts, y, 2)
    weighted = last_layer.fit_l1(images, 0.1, 0)
    repeated = last_layer.fit_l1(
        last_layer.Standardised(images.X[copies], y[copies], np.ones(len(copies)), y, 2), 0.1, 0
    )
    assert np.allclose(weighted.weight, repeated.weight, atol=1e-2)


def test_a_class_whose_few_images_are_repeated_weighs_as_much_as_one_of_many(monkeypatch):
    """As in a curated subset: 90 images of a class once, and 9 of the other ten times each."""
    pooled, labels, _ = features(600, 0.0, 0)
    rows = np.concatenate([np.flatnonzero(labels == 0)[:90], np.flatnonzero(labels == 1)[:9]])
    counts = np.repeat([1, 10], [90, 9])
    weighed = []
    fit_l1 = last_layer.fit_l1

    def spy(images, *rest):
        weighed.append(np.bincount(images.labels, images.counts).tolist())
        return fit_l1(images, *rest)

    monkeypatch.setattr(last_layer, "fit_l1", spy)
    fit((pooled[rows], labels[rows], None), features(60, 0.0, 1), grid=(0.1,), counts=counts)
    assert {of_class[0] == of_class[1] for of_class in weighed} == {True} and weighed[-1] == [90, 90]


@pytest.mark.parametrize("agreement", [0.0, 0.9])
def test_a_refit_of_repeated_images_is_that_of_their_copies(agreement):
    pooled, labels, _ = features(120, agreement, 0)
    counts = np.where(labels == 0, 1, 3)
    copies, val = np.repeat(np.arange(120), counts), features(60, 0.0, 1)
    mean, std = last_layer.scale(pooled)
    repeated, copied = (
        last_layer.mean_layer(last_layer.standardised(images, images.labels, 2, mean, std), 0.1, 1, 0)
        for images in (PooledImages(pooled, labels, counts), PooledImages(pooled[copies], labels[copies]))
    )
    X = (val[0] - mean) / std
    np.testing.assert_allclose(repeated.probabilities(X), copied.probabilities(X), atol=1e-2)


def test_the_same_seed_gives_the_same_layer():
    data = features(150, 0.5, 0), features(60, 0.0, 1)
    first, again, other = fit(*data), fit(*data), fit(*data, seed=8)
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_the_fitted_layer_is_what_the_model_predicts_with(tmp_path):
    table = painted_table(tmp_path, 10, size=32)
    model = build("small-resnet", 2, image_size=32)
    layer = Layer(np.zeros((2, 64)), np.array([0.0, np.log(3)]))
    apply_last_layer(model, layer)
    assert np.allclose(read_last_layer(model).bias, layer.bias)
    assert predict(model, table, np.arange(10)) == pytest.approx(np.tile([0.25, 0.75], (10, 1)))


def test_what_cannot_be_fitted_is_refused():
    pooled, labels, _ = features(20, 0.0, 0)
    nothing = np.empty((0, 20), np.float32), np.empty(0, np.int64), None
    with pytest.raises(SpecRefusedError, match="images of class 0"):
        fit((pooled, np.ones_like(labels), None), nothing)
    with pytest.raises(SpecRefusedError, match="one class"):
        fit((pooled, np.zeros_like(labels), None), nothing)
    with pytest.raises(SpecRefusedError, match="weights of shape \\(2, 20\\)"):
        apply_last_layer(build("squeezenet1_1", 2, weights="none"), Layer(np.zeros((2, 20)), np.zeros(2)))


def test_a_draw_cuts_every_cell_to_the_smallest_and_keeps_the_classes_balanced():
    labels = np.array([0] * 50 + [1] * 30)
    cells = np.array([0] * 40 + [1] * 10 + [2] * 24 + [3] * 6)
    rows = last_layer.balanced_draw(labels, cells, np.random.default_rng(0))
    assert np.bincount(cells[rows]).tolist() == [6, 6, 6, 6] and len(set(rows)) == 24
    one_cell = np.array([0] * 50 + [2] * 24 + [3] * 6)  # class 0 in one environment only
    assert np.bincount(one_cell[last_layer.balanced_draw(labels, one_cell, np.random.default_rng(0))]).tolist() == [
        12,
        0,
        6,
        6,
    ]


def test_the_usual_refit_balances_classes_and_needs_no_options():
    pooled, labels, _ = features(120, 0.0, 0)
    data = RefitData(
        PooledImages(pooled, labels),
        PooledImages(*features(60, 0.0, 1)[:2]),
        Layer(np.zeros((1, 1)), np.zeros(1)),
        ("0", "1"),
    )
    assert (
        accuracy_of(*(lambda layer: (layer.weight, layer.bias))(L1({}, 0).fit(data)), *features(500, 0.0, 2)[:2]) > 0.9
    )
    assert L1.labels_used == "none" and L1.Options.model_fields == {}
