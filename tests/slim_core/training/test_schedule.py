"""The learning rate of each epoch."""

from __future__ import annotations

import pytest
import torch

from slim_core.training.config import TrainConfig


def rates(**fields) -> list[float]:
    config = TrainConfig(**fields)
    return [config.lr_at(epoch) for epoch in range(config.epochs)]


def test_a_cosine_is_that_of_torch() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=7)
    expected = []
    for _ in range(7):
        expected += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    assert rates(lr=0.3, epochs=7, schedule="cosine") == pytest.approx(expected)


def test_the_rate_falls_to_a_fifth_after_three_quarters_of_the_epochs() -> None:
    assert rates(lr=0.5, epochs=8, schedule="step") == pytest.approx([0.5] * 6 + [0.1] * 2)
    for epochs, falls in ((20, 15), (60, 45), (30, 22)):  # where the small network's recipes have it
        assert rates(lr=1.0, epochs=epochs, schedule="step").index(0.2) == falls
