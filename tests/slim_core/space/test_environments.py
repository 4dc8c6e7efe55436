"""S2 and S7: environment clusters; two views of an image, and what the attention is on less what lies outside it."""

import json

import numpy as np
import pytest

from slim_core.space.environments import CONTRAST_DIMS, ClusterConfig, contrast, environment_clusters, views
from tests.slim_core.space.clumps import features


def confounded(agree: float, n: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Environment features, labels of three classes, and the background that mostly goes with each."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    attributes = np.where(rng.random(n) < agree, labels % 2, 1 - labels % 2)
    backgrounds = rng.uniform(0, 4, size=(2, 32))
    x = np.abs(backgrounds[attributes] + rng.normal(size=(n, 32)) * 0.5) * rng.uniform(0.5, 2, (n, 1))
    return x, labels, attributes


@pytest.mark.parametrize("scope", ["all", "class"])
def test_environment_clusters_separate_the_attribute_within_each_class(scope):
    x, labels, attributes = confounded(0.9)
    clusters = environment_clusters(x, labels, ClusterConfig(scope=scope))
    assert clusters.index.shape == (600,)
    assert clusters.reduced.shape == (600, 10)
    for label, n_clusters in enumerate(clusters.n_per_class):
        assert 2 <= n_clusters <= 8
        for k in range(n_clusters):
            inside = attributes[(labels == label) & (clusters.index == k)]
            assert max(inside.mean(), 1 - inside.mean()) > 0.97


def test_an_environment_that_is_rare_in_a_class_is_found_by_its_images_in_another():
    x, labels, attributes = confounded(0.99)
    index = environment_clusters(x, labels).index
    for label in range(3):
        rare = (labels == label) & (attributes != label % 2)
        others = (labels == label) & ~rare
        assert 0 < rare.sum() < 6
        assert not set(index[rare]) & set(index[others])


@pytest.mark.parametrize("scope", ["all", "class"])
def test_clusters_are_the_same_for_the_same_seed_and_do_not_depend_on_the_order_of_the_rows(scope):
    x, _ = features(300)
    labels = np.arange(300) // 150
    order = np.random.default_rng(0).permutation(300)
    config = ClusterConfig(scope=scope)
    straight, shuffled = environment_clusters(x, labels, config), environment_clusters(x[order], labels[order], config)
    assert straight.n_per_class == shuffled.n_per_class
    np.testing.assert_array_equal(straight.index[order], shuffled.index)


SMALL = [0] * 40 + [1] * 1 + [2] * 2 + [4] * 3


@pytest.mark.parametrize(
    ("labels", "config", "n_per_class"),
    [
        (SMALL, {"scope": "class"}, (2, 1, 1, 0, 1)),
        (SMALL, {}, (2, 2, 2, 0, 2)),
        ([0] * 40 + [1] * 3, {"scope": "class", "n_clusters": 5}, (5, 3)),
        ([0] * 40 + [1] * 3, {"n_clusters": 5}, (5, 5)),
    ],
)
def test_a_class_has_as_many_clusters_as_were_asked_for_or_found_and_its_images_allow(labels, config, n_per_class):
    x, _ = features(len(labels))
    assert environment_clusters(x, np.array(labels), ClusterConfig(**config)).n_per_class == n_per_class


def test_images_without_any_environment_features_are_one_cluster():
    clusters = environment_clusters(np.zeros((20, 6)), np.arange(20) % 2)
    assert clusters.n_per_class == (1, 1)
    assert np.isfinite(clusters.reduced).all()


def test_what_clusters_report_is_json():
    x, _ = features(60)
    about = environment_clusters(x, np.zeros(60, int)).to_json()
    assert json.loads(json.dumps(about)) == about
    assert about["n_per_class"] == [2]


RNG = np.random.default_rng(0)
OUTSIDE, OTHER = (RNG.random((600, 12)).astype(np.float16) for _ in range(2))
POSITIONS = np.array([5, 500, 17, 3])


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def test_both_views_of_an_image_lie_in_one_reduction_and_belong_to_the_positions_asked_for():
    config = ClusterConfig(cluster_dims=4)
    found = views(OUTSIDE, OTHER, POSITIONS, config)
    swapped = views(OTHER, OUTSIDE, POSITIONS, config)
    both = np.concatenate([found.if_right, found.if_wrong])
    again = np.concatenate([swapped.if_wrong, swapped.if_right])
    assert both.shape == (8, 4) and both.dtype == np.float32 and len(found) == 4
    assert np.allclose(distances(both), distances(again), atol=1e-3), "one reduction of both, whichever comes first"


def test_the_contrast_is_that_of_directions_whatever_their_length():
    found = contrast(OTHER, OUTSIDE, POSITIONS, 0)
    longer = contrast(OTHER * 4, OUTSIDE * 2, POSITIONS, 0)
    assert found.shape == (4, min(CONTRAST_DIMS, 4, 12))
    assert np.allclose(distances(found), distances(longer), atol=1e-2)
    assert np.allclose(contrast(OTHER, OTHER, POSITIONS, 0), 0)
