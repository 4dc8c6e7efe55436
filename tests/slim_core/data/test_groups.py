from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from slim_core.data.groups import (
    UNGROUPED,
    Grouping,
    group_index,
    group_names,
    grouping,
    in_order,
    in_split,
    in_turn,
    pseudo_groups,
    unique_names,
)


def test_a_group_is_label_times_attributes_plus_attribute():
    index = group_index(np.array([0, 0, 1, 1, 2]), np.array([0, 2, 0, 1, 2]), 3)
    assert index.tolist() == [0, 2, 3, 4, 8]


def test_an_unknown_attribute_belongs_to_no_group():
    assert group_index(np.array([1, 1]), np.array([-1, 0]), 2).tolist() == [-1, 2]


def test_names_stand_in_the_order_of_the_index():
    assert group_names(["landbird", "waterbird"], ["land", "water"]) == [
        "landbird, land",
        "landbird, water",
        "waterbird, land",
        "waterbird, water",
    ]


def test_no_two_groups_have_one_name(tiny_table):
    table = replace(tiny_table, label_names=("a", "a, b"), attribute_names=("c", "b, c"))
    assert group_names(table.label_names, table.attribute_names)[1:3] == ["a, b, c", "a, b, c"]
    groups = grouping(table)
    assert groups.names == ("a, c", "a, b, c", "a, b, c (2)", "a, b, b, c")
    assert groups.take(np.array([0])).names == groups.names
    assert Grouping(groups.index, ("water", "water", "land", "land")).names == (
        "water",
        "water (2)",
        "land",
        "land (2)",
    )


def test_a_number_that_tells_names_apart_makes_none_of_the_others():
    assert unique_names(["a", "a", "a (2)", "a (3)", "a"]) == ["a", "a (4)", "a (2)", "a (3)", "a (5)"]
    assert unique_names([]) == []


def test_groups_of_a_table_count_its_images(tiny_table):
    groups = grouping(tiny_table)
    assert not groups.estimated
    assert groups.counts().tolist() == [3, 3, 3, 3]
    assert groups.counts(tiny_table.rows("train")).tolist() == [1, 1, 1, 1]
    assert groups.take(np.array([3, 0])).index.tolist() == [3, 0]


def test_without_attributes_groups_are_classes_and_said_to_be_estimated(tiny_table):
    bare = replace(tiny_table, frame=tiny_table.frame.assign(attribute=-1), attribute_name=None, attribute_names=())
    groups = grouping(bare)
    assert groups.estimated
    assert groups.names == ("landbird", "waterbird")
    assert np.array_equal(groups.index, bare.labels)


def test_pseudo_groups_are_class_times_cluster_with_their_own_number_of_clusters():
    groups = pseudo_groups(np.array([0, 0, 1, 2]), np.array([1, -1, 0, 1]), [2, 3, 2], ["a", "b", "c"])
    assert groups.estimated
    assert groups.index.tolist() == [1, -1, 2, 6]
    assert groups.names[:3] == ("a, environment 0", "a, environment 1", "b, environment 0")
    same = pseudo_groups(np.array([2]), np.array([1]), 2, ["a", "b", "c"])
    assert same.index.tolist() == [5] and len(same.names) == 6


@pytest.mark.parametrize("n_groups", [1, 3, 40])
def test_groups_take_turns_in_the_order_that_the_seed_draws(n_groups):
    rng = np.random.default_rng(n_groups)
    groups = rng.integers(UNGROUPED, n_groups, 60)
    rows = rng.permutation(60)[:45]
    ordered = in_turn(rows, groups, seed=5)
    mixed = list(np.random.default_rng(5).permutation(rows))
    turn = [sum(groups[before] == groups[row] for before in mixed[:place]) for place, row in enumerate(mixed)]
    assert ordered.tolist() == [row for _, _, row in sorted(zip(turn, range(45), mixed, strict=True))]
    assert in_turn(rows[:0], groups, seed=5).tolist() == []


def test_many_groups_take_turns_without_a_pass_over_the_images_for_each():
    """Thirty thousand groups of two: the first of each, then the second of each."""
    turns = in_turn(np.arange(60_000), np.arange(60_000) % 30_000, seed=0) % 30_000
    assert len({*turns[:30_000]}) == len({*turns[30_000:]}) == 30_000


def test_the_environments_of_another_split_than_train_say_so_once() -> None:
    found = pseudo_groups(np.array([0, 1]), np.array([0, 1]), 2, ["a", "b"], "test")
    assert found.names[0] == "a, environment 0 (test)" and found.names[3] == "b, environment 1 (test)"
    assert in_split(found.names[0], "test") == found.names[0] and in_split("a", "test") == "a"
    assert in_split("a, environment 0", "train") == "a, environment 0"


def test_the_groups_that_lack_images_among_some_rows_are_named():
    found = Grouping(np.array([0, 0, 1, UNGROUPED]), ("a", "b", "c"))
    assert found.lacking(np.arange(4)) == ("c",)
    assert found.lacking(np.array([3])) == found.names


def test_names_are_in_the_order_of_the_data_where_it_is_known() -> None:
    names = ["10", "2", "10", "9"]
    assert in_order(pd.Series(pd.Categorical(names, ["2", "3", "9", "10"]))) == ["2", "9", "10"]
    assert in_order(pd.Series(names)) == ["10", "2", "9"]
