"""S2 and S7: environment clusters."""

import json

import numpy as np
import pytest

from slim_core.errors import SpecRefusedError
from slim_core.space.environments import ClusterConfig, environment_clusters
from tests.slim_core.space.clumps import features


def test_environment_features_that_are_not_finite_are_refused_with_their_row():
    x = np.ones((50, 4), np.float16)
    x[17, 2] = np.inf
    with pytest.raises(SpecRefusedError, match="image 17"):
        environment_clusters(x, np.zeros(50, int))


@pytest.mark.parametrize("wrong", [{"scope": "some"}, {"k_min": 5, "k_max": 4}, {"n_clusters": 0}, {"cluster_dims": 0}])
def test_a_cluster_config_checks_itself(wrong):
    with pytest.raises(SpecRefusedError):
        ClusterConfig(**wrong)


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


def test_a_class_of_one_two_or_three_images_or_none_is_one_cluster_or_no_cluster():
    x, _ = features(46)
    labels = np.array([0] * 40 + [1] * 1 + [2] * 2 + [4] * 3)
    assert environment_clusters(x, labels, ClusterConfig(scope="class")).n_per_class == (2, 1, 1, 0, 1)
    assert environment_clusters(x, labels).n_per_class == (2, 2, 2, 0, 2)


def test_a_given_number_of_clusters_is_taken_up_to_the_size_of_the_class():
    x, _ = features(43)
    labels = np.array([0] * 40 + [1] * 3)
    assert environment_clusters(x, labels, ClusterConfig(scope="class", n_clusters=5)).n_per_class == (5, 3)
    assert environment_clusters(x, labels, ClusterConfig(n_clusters=5)).n_per_class == (5, 5)


def test_images_without_any_environment_features_are_one_cluster():
    clusters = environment_clusters(np.zeros((20, 6)), np.arange(20) % 2)
    assert clusters.n_per_class == (1, 1)
    assert np.isfinite(clusters.reduced).all()


def test_what_clusters_report_is_json():
    x, _ = features(60)
    about = environment_clusters(x, np.zeros(60, int)).to_json()
    assert json.loads(json.dumps(about)) == about
    assert about["n_per_class"] == [2]
