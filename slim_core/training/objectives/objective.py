"""What a training loss is: one small protocol, so that each robust-training method is a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Setting:
    """What an objective may know of the training set before it starts."""

    n_classes: int
    class_weights: Tensor | None  # (C,) mean 1 over the images; None: all alike
    group_counts: Tensor  # (G,) training images per group; groups of no known attribute are left out
    options: dict[str, float]  # of the method, by name


@dataclass(frozen=True)
class Batch:
    """One step's images as the network left them."""

    rows: Tensor  # (B,) positions in the table
    labels: Tensor  # (B,) in 0..C-1
    groups: Tensor  # (B,) in 0..G-1, -1 unknown; an objective that reads it uses group labels
    pooled: Tensor | None  # (B, K) input of the head, where the objective asks for it
    logits: Tensor  # (B, C)


class Objective(Protocol):
    """A loss with whatever it keeps between steps."""

    needs_pooled: bool  # True: ``Batch.pooled`` is filled

    def loss(self, batch: Batch) -> Tensor:
        """The scalar to step down, with its gradient."""

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must keep for an exact resume."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take back what ``state`` gave."""


ObjectiveFactory = Callable[[Setting], Objective]


def class_weights(labels: Tensor, n_classes: int) -> Tensor:
    """(C,) weights N / (C n_c), mean 1 over the images; an empty class gets 0."""
    counts = torch.bincount(labels, minlength=n_classes).float()
    return torch.where(counts > 0, len(labels) / (n_classes * counts.clamp(min=1)), torch.zeros_like(counts))
