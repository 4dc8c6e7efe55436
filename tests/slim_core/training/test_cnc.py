"""Correct-N-Contrast: its loss by hand, its pairs, and a problem with a known answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from slim_core.data.groups import grouping
from slim_core.data.importing import import_data
from slim_core.errors import SpecRefusedError
from slim_core.models.build import build, load_model
from slim_core.models.inference import predict
from slim_core.runs.executor import Workbench
from slim_core.steps.specs import parse_spec
from slim_core.training.config import TrainConfig, TrainData
from slim_core.training.loop import train
from slim_core.training.objectives import Batch, Cnc, TrainContext, contrastive_loss
from tests.slim_core.painted import painted_table

OPTIONS = {"predictions_of": "r-1", "tau": 0.1, "contrast": 0.75}


def test_the_contrastive_loss_by_hand() -> None:
    """Anchors are image 0, with positive 1 and negatives 2 and 3, and image 4, with positives 2 and 3, negative 1."""
    pooled = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]])
    labels, predictions = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 1, 0, 0, 1])
    similar = np.array([0.0, 1.0, np.sqrt(0.5)]) / 0.5  # of the anchor to 1, 2 and 3
    found = contrastive_loss(pooled, labels, predictions, 0.5)
    other = np.array([-1.0, -np.sqrt(0.5), 0.0]) / 0.5  # of image 4 to 2, 3 and 1
    of_anchor = np.log(np.exp(similar).sum()) - similar[0]
    of_image_4 = np.log(np.exp(other).sum()) - other[:2].mean()
    assert found is not None and found.item() == pytest.approx((of_anchor + of_image_4) / 2, rel=1e-5)


def test_without_positives_or_negatives_only_the_cross_entropy_is_left() -> None:
    labels = torch.tensor([0, 1])
    assert contrastive_loss(torch.eye(2), labels, labels, 0.1) is None
    batch = Batch(labels, labels, labels, torch.eye(2), torch.zeros(2, 2), cells=2 * labels + labels)
    objective = Cnc(TrainContext(2, torch.ones(1), OPTIONS))
    assert objective.loss(batch).item() == pytest.approx(np.log(2))


def test_three_quarters_of_the_loss_are_contrastive() -> None:
    labels, predictions = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0])
    pooled = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    batch = Batch(labels, labels, labels, pooled, torch.zeros(3, 2), cells=2 * labels + predictions)
    contrast = contrastive_loss(pooled, labels, predictions, 0.1)
    assert contrast is not None
    expected = 0.75 * contrast.item() + 0.25 * np.log(2)
    assert Cnc(TrainContext(2, torch.ones(1), OPTIONS)).loss(batch).item() == pytest.approx(expected)


def test_cells_are_class_and_prediction_and_an_earlier_run_without_errors_is_refused() -> None:
    labels = np.array([0, 0, 1, 1])
    assert Cnc.cells(OPTIONS, labels, lambda _run: np.array([0, 1, 1, 0])).tolist() == [0, 1, 3, 2]
    with pytest.raises(SpecRefusedError, match="r-1 predicts all 4 training images correctly"):
        Cnc.cells(OPTIONS, labels, lambda _run: labels)


@pytest.mark.slow
def test_what_a_shortcut_keeps_apart_in_a_class_is_pulled_together() -> None:
    """A linear embedding of (class, stronger shortcut): contrast lets go of the shortcut, cross-entropy does not."""
    random = np.random.default_rng(0)
    labels = np.arange(400) % 2
    shortcut = np.where(np.arange(400) >= 40, labels, 1 - labels)  # nine in ten agree
    signs = np.column_stack([2 * labels - 1, 3 * (2 * shortcut - 1)])
    inputs = torch.tensor(signs + random.normal(0, 0.2, (400, 2)), dtype=torch.float32)

    def weight_of_the_shortcut(contrast: float) -> float:
        torch.manual_seed(0)
        embed, head = torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2)
        torch.nn.init.eye_(embed.weight)
        objective = Cnc(TrainContext(2, torch.ones(1), {**OPTIONS, "contrast": contrast}))
        optimizer = torch.optim.SGD([*embed.parameters(), *head.parameters()], lr=0.1)
        y = torch.from_numpy(labels)
        for _ in range(100):
            z = embed(inputs)
            batch = Batch(y, y, y, z, head(z), cells=torch.from_numpy(2 * labels + shortcut))
            optimizer.zero_grad()
            objective.loss(batch).backward()
            optimizer.step()
        effect = (embed.weight.norm(dim=0) * torch.tensor([1.0, 3.0])).detach()
        return float(effect[1] / effect[0])

    assert weight_of_the_shortcut(0.75) < 0.5 < 1.5 < weight_of_the_shortcut(0.0)


@pytest.mark.slow
def test_an_epoch_draws_every_cell_equally_often_and_the_loss_sees_the_cells(tmp_path: Path, monkeypatch) -> None:
    table = painted_table(tmp_path, 40, size=32)
    rows, val = np.arange(30), np.arange(30, 40)
    cells = np.full(40, -1)
    cells[:30] = 2 * table.labels[:30] + (np.arange(30) < 4)
    seen: list[np.ndarray] = []
    real = Cnc.loss

    def spy(self: Cnc, batch: Batch):
        assert batch.cells is not None
        np.testing.assert_array_equal(batch.cells.numpy(), cells[batch.rows.numpy()])
        seen.append(batch.cells.numpy())
        return real(self, batch)

    monkeypatch.setattr(Cnc, "loss", spy)
    config = TrainConfig(
        epochs=20,
        batch_size=30,
        lr=1e-4,
        objective="cnc",
        objective_options={"predictions_of": "r-1"},
        augmentation="none",
    )
    model = build("small-resnet", 2, image_size=32)
    train(model, TrainData(table, rows, val, grouping(table), cells=cells), config)
    counts = np.bincount(np.concatenate(seen), minlength=4)
    assert counts.sum() == 600 and counts.min() > 110, "2 of 30 images are in each rare cell"


def test_a_sampling_beside_the_one_of_its_cells_is_refused() -> None:
    """It would be ignored, and the table of labels used would say that groups were."""
    options = {"predictions_of": "r-1"}
    assert TrainConfig(objective="cnc", objective_options=options).drawn == "shuffled"
    with pytest.raises(ValidationError, match="prediction equally often: leave it"):
        TrainConfig(objective="cnc", objective_options=options, sampling="group-balanced")


def test_a_network_without_a_linear_last_layer_is_refused(tmp_path: Path) -> None:
    table = painted_table(tmp_path, 8, size=32)
    config = TrainConfig(epochs=1, objective="cnc", objective_options={"predictions_of": "r-1"})
    data = TrainData(table, np.arange(6), np.arange(6, 8), grouping(table), cells=2 * table.labels)
    with pytest.raises(SpecRefusedError, match="squeezenet1_1 has no linear"):
        train(build("squeezenet1_1", 2, weights="none", image_size=64), data, config)


@pytest.mark.slow
def test_a_run_contrasts_the_predictions_of_an_earlier_one(
    workbench: Workbench, demo_folder: Path, monkeypatch
) -> None:
    store = workbench.store
    dataset = store.datasets.register(import_data(demo_folder))
    given = {"kind": "train", "dataset": dataset.id, "model": "small-resnet", "epochs": 1}
    first = workbench.run(parse_spec(given | {"weight_decay": 0.1}))
    table = store.datasets.table(dataset.id)
    rows = table.rows("train")
    found: list[TrainData] = []
    trained = train

    def spy(model, data, config, **more):
        found.append(data)
        return trained(model, data, config, **more)

    monkeypatch.setattr("slim_core.steps.train.train", spy)
    second = workbench.run(parse_spec(given | {"objective": "cnc", "objective_options": {"predictions_of": first.id}}))
    assert second.status == "done"
    assert [(role, run.id) for role, run in store.runs.parents(second.id)] == [("earlier", first.id)]
    predictions = predict(load_model(store.artifacts.folder(first.id)), table, rows).argmax(1)
    assert found[0].cells is not None
    np.testing.assert_array_equal(found[0].cells[rows], 2 * table.labels[rows] + predictions)
