"""Class x environment as groups: of the training images as people cut them, of the others by the nearest."""

from __future__ import annotations

import json

import numpy as np
import pytest

from slim_core import result_files
from slim_core.annotation.environment_groups import environment_groups
from slim_core.data.groups import UNGROUPED
from slim_core.space.environments import ClusterConfig, environment_clusters
from slim_core.space.sheets import MIXED, NO, YES, EnvironmentConsensus
from slim_core.store.results import AttentionResult, SpaceResult
from tests.slim_core.space.clumps import features
from tests.slim_core.store.store_makers import image_table

N_TRAIN, CONFIG = 60, ClusterConfig(n_clusters=2, cluster_dims=4)
FEATURES, CLUMP = features(n=N_TRAIN + 10)
LABELS = np.arange(N_TRAIN + 10) // 2 % 2  # of each clump as many images in either class


@pytest.fixture
def results(tmp_path):
    """A space of 60 training images in two clumps, and the pass it was made from, which saw 10 more among them."""
    table = labelled(image_table(tmp_path / "images", n_train=N_TRAIN), LABELS)
    order = np.random.default_rng(0).permutation(N_TRAIN + 10)
    np.save(tmp_path / result_files.ROWS, order)
    np.save(tmp_path / result_files.FEATURES["environment"], FEATURES[order])
    space = tmp_path / "space"
    space.mkdir()
    rows = order[order < N_TRAIN]
    clusters = environment_clusters(FEATURES[rows], table.labels[rows], CONFIG)
    np.save(space / result_files.ROWS, rows)
    np.save(space / result_files.CLUSTERS, clusters.index)
    np.save(space / result_files.ENVIRONMENT_REDUCED, clusters.reduced)
    (space / result_files.CLUSTERS_ABOUT).write_text(json.dumps({"n_per_class": clusters.n_per_class}))
    return table, SpaceResult(space), AttentionResult(tmp_path)


def labelled(table, labels):
    """The same images in other classes."""
    return type(table)(table.name, table.root, table.frame.assign(label=labels), table.label_names)


def groups(results, **said):
    table, space, seen = results
    return environment_groups(
        table, space, seen, CONFIG, {name[1:].replace("_", "."): one for name, one in said.items()}
    )


def test_every_image_that_was_seen_is_in_the_group_of_its_class_and_clump(results):
    found = groups(results)
    assert found.names == tuple(f"{label}, environment {k}" for label in ("zero", "one") for k in (0, 1))
    assert not found.estimated
    environment = CLUMP if found.index[0] == 0 else 1 - CLUMP  # the first image is in clump 0: which number has that?
    np.testing.assert_array_equal(found.index, 2 * LABELS + environment)


def test_names_of_people_are_in_the_names_of_groups(results):
    found = groups(results, e0=EnvironmentConsensus(NO, "lake", 1), e1=EnvironmentConsensus(NO, "wood", 1))
    assert found.names == ("zero, lake", "zero, wood", "one, lake", "one, wood")


def test_environments_that_belong_to_the_class_are_no_groups(results):
    both = groups(results, e0=EnvironmentConsensus(YES, "lake", 1), e1=EnvironmentConsensus(YES, "wood", 1))
    assert both.names == ("zero, elsewhere", "one, elsewhere")
    np.testing.assert_array_equal(both.index, results[0].labels)


def test_parts_of_a_mixed_environment_are_groups_of_their_own(results):
    found = groups(results, e0=EnvironmentConsensus(MIXED, "", 1))
    assert {name.split(", ")[1] for name in found.names} == {"environment 0.0", "environment 0.1", "environment 1"}
    assert (found.index >= 0).all()


def test_an_image_elsewhere_that_would_be_in_a_group_without_training_images_has_none(results):
    table, space, seen = results
    labels = CLUMP.copy()  # in training, each class has a clump of its own
    labels[N_TRAIN] = 1 - labels[N_TRAIN]
    found = environment_groups(labelled(table, labels), space, seen, CONFIG, {})
    assert found.index[N_TRAIN] == UNGROUPED and (np.delete(found.index, N_TRAIN) >= 0).all()


def test_what_the_pass_has_not_seen_is_in_no_group(results):
    table, space, seen = results
    keep = seen.rows != N_TRAIN + 3
    np.save(seen.folder / result_files.ROWS, seen.rows[keep])
    np.save(seen.folder / result_files.FEATURES["environment"], seen.features("environment")[keep])
    found = environment_groups(table, space, AttentionResult(seen.folder), CONFIG, {})
    assert np.flatnonzero(found.index == UNGROUPED).tolist() == [N_TRAIN + 3]
