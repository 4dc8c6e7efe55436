"""GroupDRO: its weights by hand, the answer of a problem that has one, and what it refuses."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from slim_core.data.groups import UNGROUPED, grouping
from slim_core.errors import SpecRefusedError
from slim_core.models.build import build
from slim_core.steps.specs import TrainSpec
from slim_core.training.config import TrainConfig, TrainData
from slim_core.training.loop import train
from slim_core.training.objectives import OBJECTIVES, Batch, GroupDro, TrainContext
from tests.slim_core.painted import painted_table

CONFIG = TrainConfig(epochs=4, batch_size=16, objective="group-dro", objective_options={"eta": 0.5}, seed=3)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return painted_table(tmp_path_factory.mktemp("painted"), 100, size=16)


def batch(logits, labels, groups) -> Batch:
    return Batch(torch.arange(len(labels)), torch.tensor(labels), torch.tensor(groups), None, logits)


def group_dro(n_groups: int, eta: float) -> GroupDro:
    return GroupDro(TrainContext(2, torch.ones(n_groups), {"eta": eta}))


def test_the_weights_of_the_groups_follow_their_mean_losses():
    objective = group_dro(3, 1.0)
    logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, math.log(3)], [9.0, -9.0]])
    loss = objective.loss(batch(logits, [0, 1, 0, 1], [0, 0, 2, UNGROUPED]))
    means = [math.log(2), 0.0, math.log(4)]  # the group without images has none, the image without group no weight
    raised = np.exp(means)  # 2, 1, 4
    assert objective.q.tolist() == pytest.approx(raised / raised.sum())
    assert loss.item() == pytest.approx(float(raised / raised.sum() @ means))


def share_of_class_1(name: str, options: dict[str, float]) -> float:
    """The probability of class 1 that a model without features learns from 90 images of class 0 and 10 of class 1."""
    labels = [0] * 90 + [1] * 10
    bias = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.SGD([bias], lr=0.1)
    objective = OBJECTIVES[name](TrainContext(2, torch.tensor([90, 10]), options))
    for _ in range(1500):
        optimizer.zero_grad()
        objective.loss(batch(bias.expand(100, 2), labels, labels)).backward()
        optimizer.step()
    return float(bias.detach().softmax(0)[1])


@pytest.mark.slow
def test_without_features_it_ends_where_both_groups_lose_the_same_and_erm_at_their_shares():
    assert share_of_class_1("erm", {}) == pytest.approx(0.1, abs=0.01)
    assert share_of_class_1("group-dro", {"eta": 0.01}) == pytest.approx(0.5, abs=0.05)


def trained(table) -> None:
    model = build("small-resnet", table.n_classes, image_size=16, seed=1)
    train(model, TrainData(table, table.rows("train"), table.rows("val"), grouping(table)), CONFIG)


def test_its_epochs_draw_the_groups_equally_often(table, monkeypatch):
    seen = []
    loss = GroupDro.loss
    monkeypatch.setattr(GroupDro, "loss", lambda self, one: seen.extend(one.groups.tolist()) or loss(self, one))
    trained(table)
    assert np.bincount(seen) / len(seen) == pytest.approx([0.25] * 4, abs=0.1)
    with pytest.raises(ValidationError, match="group-dro draws groups equally often .*: leave it out"):
        TrainConfig(objective="group-dro", sampling="class-balanced")


def test_a_group_that_cannot_occur_has_no_weight_and_the_others_share_it_all():
    objective = GroupDro(TrainContext(2, torch.tensor([3, 0, 5]), {"eta": 1.0}))
    assert objective.q.tolist() == [0.5, 0.0, 0.5]
    alone = group_dro(2, 1.0)
    logits = torch.tensor([[0.0, 0.0], [0.0, math.log(3)]])
    assert objective.loss(batch(logits, [0, 0], [0, 2])) == alone.loss(batch(logits, [0, 0], [0, 1]))
    assert objective.q.tolist() == pytest.approx([1 / 3, 0.0, 2 / 3])


@pytest.mark.parametrize("how", [{"objective": "group-dro"}, {"sampling": "group-balanced"}])
def test_a_group_without_an_image_to_train_on_does_not_count_and_its_accuracy_on_validation_does(table, how):
    rows, groups = table.rows("train"), grouping(table)
    rows = rows[groups.index[rows] != 0]
    data = TrainData(table, rows, table.rows("val"), groups)
    assert data.groups_left_out() == ("level 0, red",)
    model = build("small-resnet", table.n_classes, image_size=16, seed=1)
    result = train(model, data, TrainConfig(epochs=1, batch_size=16, selection="worst_group", **how))
    of_val = {row["name"]: row for row in result.history[0]["val"]["groups"]}
    assert of_val["level 0, red"]["n"] > 0 and of_val["level 0, red"]["accuracy"] is not None
    nowhere = dataclasses.replace(data, val_rows=data.val_rows[groups.index[data.val_rows] != 0])
    (epoch,) = train(model, nowhere, TrainConfig(epochs=1, batch_size=16, selection="worst_group", **how)).history
    lost = epoch["val"]["groups"][0]
    assert (lost["n"], lost["accuracy"]) == (0, None)
    assert epoch["val"]["wga"] == min(row["accuracy"] for row in epoch["val"]["groups"][1:])


def test_data_without_attributes_or_with_a_class_of_no_known_group_is_refused_before_it_trains(table):
    attributes = table.frame["attribute"].where(table.frame["label"] == 1, -1)
    unknown = dataclasses.replace(table, frame=table.frame.assign(attribute=attributes))
    with pytest.raises(SpecRefusedError, match="of the class level 0"):
        trained(unknown)
    plain = dataclasses.replace(table, frame=table.frame.assign(attribute=-1), attribute_name=None, attribute_names=())
    with pytest.raises(SpecRefusedError, match="group labels, but painted has no attribute"):
        trained(plain)


def test_a_last_layer_has_a_loss_of_its_own():
    with pytest.raises(ValidationError, match="last-layer ignores objective"):
        TrainSpec(dataset="d", model="small-resnet", mode="last-layer", reference="r", objective="group-dro")
