"""The learning rate of each epoch."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

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
    assert rates(lr=0.3, epochs=7, schedule="cosine", milestones=(2,)) == pytest.approx(expected)


def test_a_warm_up_rises_to_the_rate_and_the_cosine_follows_it() -> None:
    warm = rates(lr=0.4, epochs=8, warmup_epochs=3, schedule="cosine")
    assert warm[:4] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert warm[3:] == pytest.approx(rates(lr=0.4, epochs=5, schedule="cosine"))
    assert rates(lr=0.4, epochs=4, warmup_epochs=1, milestones=(2,), gamma=0.5) == pytest.approx([0.2, 0.4, 0.2, 0.2])


def test_a_warm_up_that_leaves_no_epoch_is_refused() -> None:
    with pytest.raises(ValidationError, match="Of 4 epochs some must follow the warm-up: take at most 3"):
        TrainConfig(epochs=4, warmup_epochs=4)
