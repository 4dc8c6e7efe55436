"""Steps: a batch in parts is the batch, AdamW is torch's, 16 bits resume exactly, and determinism is kept to."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from slim_core.data.groups import grouping
from slim_core.errors import SpecRefusedError
from slim_core.models.build import build
from slim_core.models.runtime import Runtime
from slim_core.training.config import TrainConfig
from slim_core.training.learner import Learner
from slim_core.training.loop import TrainData, train
from slim_core.training.objectives import OBJECTIVES, Erm, TrainContext
from tests.slim_core.painted import painted_table

ERM = TrainContext(2, None, torch.ones(2), {})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return painted_table(tmp_path_factory.mktemp("painted"), 70, size=32)


def group_normed():
    """A network that sees each image alone, so that parts of a batch are no different from the whole."""
    model = build("small-resnet", 2, image_size=32, seed=1)
    for module in list(model.net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.GroupNorm(4, child.num_features))
    return model


def trained(table, model=None, *, stop_in=None, checkpoint_dir=None, **fields):
    """The weights (P,) and the history without its times."""
    model = model or build("small-resnet", 2, image_size=32, seed=1)
    config = TrainConfig(**{"epochs": 2, "batch_size": 16, "seed": 3, **fields})
    data = TrainData(table, table.rows("train"), table.rows("val"), grouping(table))

    def on_report(report):
        if report.epoch == stop_in:
            raise KeyboardInterrupt

    result = train(model, data, config, runtime=Runtime(checkpoint_dir=checkpoint_dir), on_report=on_report)
    weights = torch.cat([value.float().flatten() for value in model.net.state_dict().values()])
    times = ("seconds", "images_per_s")
    return weights, [{key: value for key, value in entry.items() if key not in times} for entry in result.history]


@pytest.mark.parametrize("fields", [{}, {"class_weights": True}, {"augmentation": "crops-flips-colours"}])
def test_a_batch_in_parts_takes_the_step_of_the_whole_batch(table, fields):
    whole, history = trained(table, group_normed(), **fields)
    parts, in_parts = trained(table, group_normed(), accumulation=3, **fields)
    assert torch.allclose(whole, parts, atol=1e-5) and not torch.equal(whole, parts)
    assert [one["train_loss"] for one in in_parts] == pytest.approx([one["train_loss"] for one in history], abs=1e-5)
    assert [one["train_accuracy"] for one in in_parts] == [one["train_accuracy"] for one in history]


def test_no_part_is_larger_than_was_asked_for_nor_is_validation(table, monkeypatch):
    model, sizes = group_normed(), {True: [], False: []}
    model.net.register_forward_pre_hook(lambda module, given: sizes[module.training].append(len(given[0])))
    trained(table, model, accumulation=4, epochs=1)
    assert max(sizes[True]) == 4 and min(sizes[True]) >= 2
    assert max(sizes[False]) == 8
    assert sum(sizes[True]) == len(table.rows("train"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"accumulation": 9, "batch_size": 16}, "Each part of a batch of 16 needs two images: take at most 8"),
        ({"accumulation": 2, "objective": "group-dro"}, "The loss of the objective group-dro needs a whole batch"),
    ],
)
def test_parts_that_would_be_another_training_are_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        TrainConfig(**fields)


@pytest.mark.parametrize(
    ("fields", "n_images", "changes"),
    [
        ({"batch_size": 64}, 16, {"accumulation": 4}),
        ({"batch_size": 100}, 32, {"accumulation": 4}),
        ({"batch_size": 64, "accumulation": 2}, 8, {"accumulation": 8}),
        ({"batch_size": 3}, 2, {"batch_size": 2}),
        ({"batch_size": 64, "objective": "group-dro"}, 16, {"batch_size": 16}),
    ],
)
def test_what_fits_into_memory_keeps_the_batch_where_the_loss_allows_it(fields, n_images, changes):
    config = TrainConfig(**fields)
    assert config.in_memory_of(n_images) == changes
    assert TrainConfig(**{**dict(config), **changes}).images_at_once <= n_images


def test_adamw_takes_the_steps_of_torch():
    config = TrainConfig(optimizer="adamw", lr=0.01, weight_decay=0.1)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    learner = Learner.of(ours, Erm(ERM), config, torch.device("cpu"))
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.1)
    X = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        learner.add_gradient(ours(X).square().mean())
        learner.step()
        optimizer.zero_grad()
        theirs(X).square().mean().backward()
        optimizer.step()
    assert torch.equal(ours.weight, theirs.weight)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "adamw", "lr": 1e-3, "schedule": "cosine", "warmup_epochs": 1},
        {"precision": "bfloat16", "accumulation": 2},
        {"precision": "float16"},
    ],
)
def test_an_interrupted_training_resumes_exactly_with_every_setting(table, tmp_path, fields):
    fields = {"epochs": 3, **fields}
    expected = trained(table, **fields)
    with pytest.raises(KeyboardInterrupt):
        trained(table, stop_in=3, checkpoint_dir=tmp_path, **fields)
    weights, history = trained(table, checkpoint_dir=tmp_path, **fields)
    assert torch.equal(weights, expected[0]) and history == expected[1]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_sixteen_bits_compute_in_their_type_and_learn_as_float32_does(table, precision):
    seen = set()
    model = build("small-resnet", 2, image_size=32, seed=1)
    model.target_layer.register_forward_hook(lambda module, _, output: seen.add((module.training, output.dtype)))
    _, history = trained(table, model, precision=precision, augment=False, epochs=3)
    _, expected = trained(table, precision="float32", augment=False, epochs=3)
    assert seen == {(True, getattr(torch, precision)), (False, torch.float32)}
    assert [one["train_loss"] for one in history] == pytest.approx([one["train_loss"] for one in expected], abs=0.05)
    assert all(parameter.dtype == torch.float32 for parameter in model.net.parameters())


def test_a_deterministic_training_refuses_an_operation_that_is_not(table, monkeypatch):
    class Scattered(Erm):
        def loss(self, batch):
            torch.zeros(2).put_(torch.tensor([0]), torch.ones(1))
            return super().loss(batch)

    monkeypatch.setitem(OBJECTIVES, "erm", Scattered)
    trained(table, epochs=1)
    with pytest.raises(SpecRefusedError, match="put_.* has no deterministic form on this device: train without"):
        trained(table, epochs=1, deterministic=True)
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_deterministic_training_is_the_same_training_on_a_cpu(table):
    assert torch.equal(trained(table)[0], trained(table, deterministic=True)[0])
