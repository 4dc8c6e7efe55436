"""Class x environment as groups: of the training images as people cut them, of the others by the nearest."""

from __future__ import annotations

import json

import numpy as np
import pytest

from slim_core import result_files
from slim_core.annotation.environment_groups import environment_groups
from slim_core.data.groups import UNGROUPED
from slim_core.space.environments import ClusterConfig, environment_clusters
from slim_core.space.sheets import MIXED, NO, YES, Said
from slim_core.store.results import AttentionResult, SpaceResult
from tests.slim_core.space.clumps import features
from tests.slim_core.store.store_makers import image_table

N_TRAIN, CONFIG = 60, ClusterConfig(n_clusters=2, cluster_dims=4)
FEATURES, CLUMP = features(n=N_TRAIN + 10)


@pytest.fixture
def results(tmp_path):
    """A space of 60 training images in two clumps, and the pass it was made from, which saw 10 more among them."""
    table = image_table(tmp_path / "images", n_train=N_TRAIN)
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


def groups(results, **said):
    table, space, seen = results
    return environment_groups(
        table, space, seen, CONFIG, {name[1:].replace("_", "."): one for name, one in said.items()}
    )


def test_every_image_that_was_seen_is_in_the_group_of_its_class_and_clump(results):
    table, found = results[0], groups(results)
    labels, clump = table.labels, CLUMP  # both alternate: the clump of a row is its label
    assert found.names == ("zero, environment 0", "one, environment 1") or found.names == (
        "zero, environment 1",
        "one, environment 0",
    )
    assert not found.estimated
    np.testing.assert_array_equal(found.index, labels)
    np.testing.assert_array_equal(labels, clump)


def test_names_of_people_are_in_the_names_of_groups(results):
    found = groups(results, e0=Said(NO, "lake", 1), e1=Said(NO, "wood", 1))
    assert {name.split(", ")[1] for name in found.names} == {"lake", "wood"}


def test_environments_that_belong_to_the_class_are_no_groups(results):
    both = groups(results, e0=Said(YES, "lake", 1), e1=Said(YES, "wood", 1))
    assert both.names == ("zero, elsewhere", "one, elsewhere")
    np.testing.assert_array_equal(both.index, results[0].labels)


def test_parts_of_a_mixed_environment_are_groups_of_their_own(results):
    found = groups(results, e0=Said(MIXED, "", 1))
    assert sum("environment 0." in name for name in found.names) == 2
    assert (found.index >= 0).all()


def test_an_image_elsewhere_that_would_be_in_a_group_without_training_images_has_none(results):
    table, space, seen = results
    labels = table.labels.copy()
    labels[N_TRAIN] = 1 - labels[N_TRAIN]
    frame = table.frame.assign(label=labels)
    table = type(table)(table.name, table.root, frame, table.label_names)
    found = environment_groups(table, space, seen, CONFIG, {})
    assert found.index[N_TRAIN] == UNGROUPED and (np.delete(found.index, N_TRAIN) >= 0).all()


def test_what_the_pass_has_not_seen_is_in_no_group(results):
    table, space, seen = results
    keep = seen.rows != N_TRAIN + 3
    np.save(seen.folder / result_files.ROWS, seen.rows[keep])
    np.save(seen.folder / result_files.FEATURES["environment"], seen.features("environment")[keep])
    found = environment_groups(table, space, AttentionResult(seen.folder), CONFIG, {})
    assert np.flatnonzero(found.index == UNGROUPED).tolist() == [N_TRAIN + 3]
