"""Steps: AdamW is torch's, and an interrupted training resumes exactly."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from slim_core.data.groups import grouping
from slim_core.models.build import build
from slim_core.models.runtime import Runtime
from slim_core.training.config import TrainConfig, TrainData
from slim_core.training.loop import train
from slim_core.training.objectives import Erm, TrainContext
from slim_core.training.stepper import Learner
from tests.slim_core.painted import painted_table

ERM = TrainContext(2, torch.ones(2), {})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return painted_table(tmp_path_factory.mktemp("painted"), 70, size=32)


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


def test_adamw_takes_the_steps_of_torch():
    config = TrainConfig(optimizer="adamw", lr=0.01, weight_decay=0.1)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    learner = Learner.of(ours, Erm(ERM), config)
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.1)
    X = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        learner.step(ours(X).square().mean())
        optimizer.zero_grad()
        theirs(X).square().mean().backward()
        optimizer.step()
    assert torch.equal(ours.weight, theirs.weight)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "adamw", "lr": 1e-3, "schedule": "cosine"},
        {"sampling": "class-balanced", "schedule": "step"},
    ],
)
def test_an_interrupted_training_resumes_exactly_with_every_setting(table, tmp_path, fields):
    fields = {"epochs": 3, **fields}
    expected = trained(table, **fields)
    with pytest.raises(KeyboardInterrupt):
        trained(table, stop_in=3, checkpoint_dir=tmp_path, **fields)
    weights, history = trained(table, checkpoint_dir=tmp_path, **fields)
    assert torch.equal(weights, expected[0]) and history == expected[1]
