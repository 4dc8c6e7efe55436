"""Sheets: which images show an environment, and what answers make of the environments."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core.space.environments import ClusterConfig, Clusters, environment_clusters
from slim_core.space.sheets import (
    IMAGES,
    MIXED,
    MOST_CLASSES,
    NO,
    UNSURE,
    YES,
    Environment,
    EnvironmentConsensus,
    environments,
    sheet,
)
from tests.slim_core.space.clumps import features

FEATURES, CLUMP = features(n=300)
LABELS = np.random.default_rng(1).integers(0, 3, 300)
CLUSTERS = environment_clusters(FEATURES, LABELS, ClusterConfig(n_clusters=2, cluster_dims=4))


def cut(**values: int) -> dict[str, Environment]:
    said = {name[1:].replace("_", "."): EnvironmentConsensus(value) for name, value in values.items()}
    return {each.path: each for each in environments(CLUSTERS, said)}


def test_before_anyone_answers_the_environments_are_the_clusters():
    found = environments(CLUSTERS)
    assert [each.path for each in found] == ["0", "1"]
    for each in found:
        np.testing.assert_array_equal(each.positions, np.flatnonzero(CLUSTERS.index == int(each.path)))
        assert (each.consensus, each.is_split, each.name) == (
            EnvironmentConsensus(UNSURE),
            False,
            f"environment {each.path}",
        )


@pytest.mark.parametrize("value", [YES, NO, UNSURE])
def test_only_mixed_splits(value):
    assert list(cut(e0=value)) == ["0", "1"]


def test_a_mixed_environment_stands_before_its_two_parts_which_share_its_images():
    found = cut(e0=MIXED)
    assert list(found) == ["0", "0.0", "0.1", "1"] and found["0"].is_split
    parts = [found[path].positions for path in ("0.0", "0.1")]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), found["0"].positions)
    assert len(parts[0]) >= len(parts[1]) > 0
    means = [CLUSTERS.reduced[part].mean(axis=0) for part in parts]
    assert np.linalg.norm(means[0] - means[1]) > CLUSTERS.reduced[parts[0]].std(axis=0).max()


def test_a_part_is_not_split_again_and_what_is_said_of_paths_that_do_not_exist_has_no_effect():
    found = cut(e0=MIXED, e0_0=MIXED, e1_1=NO, e9=MIXED)
    assert list(found) == ["0", "0.0", "0.1", "1"]
    assert found["0.0"].consensus.value == MIXED and not found["0.0"].is_split


def test_an_environment_of_few_or_of_equal_images_is_not_split():
    few = Clusters(np.repeat([0, 1], [40, 19]), (2,), np.random.default_rng(0).normal(size=(59, 3)).astype(np.float32))
    assert [each.path for each in environments(few, {"1": EnvironmentConsensus(MIXED)})] == ["0", "1"]
    same = Clusters(np.zeros(40, np.int64), (1,), np.ones((40, 3), np.float32))
    assert [each.path for each in environments(same, {"0": EnvironmentConsensus(MIXED)})] == ["0"]


def test_the_parts_do_not_depend_on_the_order_of_the_images():
    order = np.random.default_rng(2).permutation(300)
    shuffled = Clusters(CLUSTERS.index[order], CLUSTERS.n_per_class, CLUSTERS.reduced[order])
    straight = cut(e0=MIXED)["0.1"].positions
    again = {each.path: each for each in environments(shuffled, {"0": EnvironmentConsensus(MIXED)})}["0.1"].positions
    assert set(order[again]) == set(straight)


def test_a_sheet_shows_every_class_equally_often_typical_images_before_spread_ones():
    environment = cut()["0"]
    shown = sheet(environment, CLUSTERS.reduced, LABELS)
    assert list(shown) == [0, 1, 2] and sum(map(len, shown.values())) == IMAGES
    assert max(map(len, shown.values())) - min(map(len, shown.values())) <= 1
    centre = CLUSTERS.reduced[environment.positions].mean(axis=0)
    for label, positions in shown.items():
        members = environment.positions[LABELS[environment.positions] == label]
        assert len(set(positions)) == len(positions) and set(positions) <= set(members)
        n_typical = (len(positions) + 1) // 2
        distances = np.linalg.norm(CLUSTERS.reduced - centre, axis=1)
        nearest = members[np.argsort(distances[members])][:n_typical]
        np.testing.assert_array_equal(positions[:n_typical], nearest)
        assert distances[positions[n_typical:]].min() >= distances[nearest].max()


def test_what_a_rare_class_cannot_give_goes_to_the_others():
    inside = cut()["0"].positions
    labels = np.zeros(300, np.int64)
    labels[inside[:3]] = 1
    shown = sheet(cut()["0"], CLUSTERS.reduced, labels)
    assert {label: len(positions) for label, positions in shown.items()} == {0: IMAGES - 3, 1: 3}


def test_of_very_many_classes_the_largest_are_shown_with_two_images_each():
    labels = np.minimum(np.arange(300) % 40, 29)  # class 29 is the largest
    shown = sheet(cut()["0"], CLUSTERS.reduced, labels)
    assert len(shown) == MOST_CLASSES and 29 in shown
    assert {len(positions) for positions in shown.values()} == {2}


def test_the_same_seed_shows_the_same_sheet_and_another_seed_other_spread_images():
    first, again, other = (sheet(cut()["0"], CLUSTERS.reduced, LABELS, seed=seed) for seed in (0, 0, 1))
    assert all((first[label] == again[label]).all() for label in first)
    assert any((first[label] != other[label]).any() for label in first)
    assert all((first[label][:3] == other[label][:3]).all() for label in first), "the typical ones are no draw"


def test_an_environment_smaller_than_a_sheet_is_shown_whole():
    tiny = Environment("0", np.arange(7), EnvironmentConsensus(), is_split=False)
    shown = sheet(tiny, CLUSTERS.reduced, LABELS)
    assert sorted(np.concatenate(list(shown.values())).tolist()) == list(range(7))
