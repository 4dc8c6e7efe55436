"""Sampling: balanced epochs draw each class or group equally often, shuffled ones each image once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from slim_core.data.groups import UNGROUPED, grouping
from slim_core.errors import SpecRefusedError
from slim_core.models.build import build
from slim_core.training.config import TrainConfig, TrainData, epoch_order, equal_shares
from slim_core.training.loop import train
from slim_core.training.objectives import OBJECTIVES, Erm
from tests.slim_core.painted import painted_table

CONFIG = TrainConfig(epochs=6, batch_size=16, augmentation="none")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return painted_table(tmp_path_factory.mktemp("painted"), 100, size=16)


@pytest.fixture
def seen(monkeypatch):
    """Rows of every batch that is trained on."""
    found: list[int] = []

    class Spy(Erm):
        def loss(self, batch):
            found.extend(batch.rows.tolist())
            return super().loss(batch)

    monkeypatch.setitem(OBJECTIVES, "erm", Spy)
    return found


def sampled(table, rows, sampling):
    model = build("small-resnet", table.n_classes, image_size=16, seed=1)
    config = TrainConfig(**{**dict(CONFIG), "sampling": sampling})
    train(model, TrainData(table, rows, np.empty(0, np.int64), grouping(table)), config)


def test_each_cell_has_the_same_total_and_images_without_one_are_never_drawn():
    shares = equal_shares(np.array([0, 0, 0, 2, UNGROUPED]))
    assert shares.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2, 0])


def test_a_balanced_epoch_draws_ninety_and_ten_as_fifty_and_fifty():
    cell = np.repeat([0, 1], [9000, 1000])
    order = epoch_order(cell, len(cell), 0, 0)
    assert len(order) == len(cell)
    assert np.bincount(cell[order]).tolist() == pytest.approx([5000, 5000], abs=200)
    np.testing.assert_array_equal(order, epoch_order(cell, len(cell), 0, 0))
    assert (order != epoch_order(cell, len(cell), 0, 1)).any()


def test_a_shuffled_epoch_is_the_permutation_it_always_was():
    expected = np.random.default_rng([3, 2]).permutation(50)
    np.testing.assert_array_equal(epoch_order(None, 50, 3, 2), expected)


def test_class_balanced_training_sees_a_rare_class_as_often_as_the_other(table, seen):
    rows = table.rows("train")
    few = np.concatenate([rows[table.labels[rows] == 0], rows[table.labels[rows] == 1][:3]])
    sampled(table, few, "class-balanced")
    assert len(seen) == 6 * len(few)
    assert np.mean(table.labels[seen]) == pytest.approx(0.5, abs=0.12)


def test_group_balanced_training_sees_a_rare_group_as_often_as_the_others(table, seen):
    rows, groups = table.rows("train"), grouping(table).index
    few = np.concatenate([rows[groups[rows] != 0], rows[groups[rows] == 0][:2]])
    sampled(table, few, "group-balanced")
    assert np.bincount(groups[seen]) / len(seen) == pytest.approx([0.25] * 4, abs=0.12)


def test_group_balanced_training_needs_attributes_and_goes_without_a_group_that_has_no_image(table, seen):
    rows, groups = table.rows("train"), grouping(table).index
    sampled(table, rows[groups[rows] != 1], "group-balanced")
    assert np.bincount(groups[seen], minlength=4) / len(seen) == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3], abs=0.12)
    plain = dataclasses.replace(table, frame=table.frame.assign(attribute=-1), attribute_name=None, attribute_names=())
    with pytest.raises(SpecRefusedError, match="painted has no attribute"):
        sampled(plain, rows, "group-balanced")
