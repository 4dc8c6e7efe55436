"""How to train: the settings of one training, checked when built."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from slim_core.errors import SpecRefusedError
from slim_core.metrics import AVERAGE, WGA, WORST_CLASS
from slim_core.training.objectives import OBJECTIVES

Selection = Literal["worst_class", "average", "worst_group", "last"]
SELECTED_BY = {"worst_class": WORST_CLASS, "average": AVERAGE, "worst_group": WGA}  # selection -> validation metric


@dataclass(frozen=True)
class TrainConfig:
    """How to train. The defaults suit the demo's small network from scratch."""

    epochs: int = 20
    batch_size: int = 64
    lr: float = 0.05
    weight_decay: float = 5e-4
    momentum: float = 0.9
    milestones: tuple[int, ...] = ()  # epochs (0-based) at which the rate is multiplied by gamma
    gamma: float = 0.5
    class_weights: bool = False  # weigh the loss by 1 / class size
    augment: bool = True  # random flips and crops
    selection: Selection = "worst_class"  # which epoch's weights are kept; "worst_group" reads group labels: an oracle
    objective: str = "erm"
    objective_options: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    trainable: Literal["all", "head"] = "all"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise SpecRefusedError(f"Epochs ({self.epochs}) and batch size ({self.batch_size}) must be 1 or more.")
        if not (self.lr > 0 and math.isfinite(self.lr)) or self.weight_decay < 0:
            raise SpecRefusedError(
                f"The learning rate ({self.lr}) must be above 0 and weight decay ({self.weight_decay}) 0 or more."
            )
        if self.objective not in OBJECTIVES:
            raise SpecRefusedError(f"There is no objective {self.objective!r}: take one of {', '.join(OBJECTIVES)}.")
        if self.selection not in (*SELECTED_BY, "last"):
            raise SpecRefusedError(f"There is no selection {self.selection!r}: take {', '.join(SELECTED_BY)} or last.")

    def lr_at(self, epoch: int) -> float:
        """The learning rate of an epoch (0-based)."""
        return self.lr * self.gamma ** sum(milestone <= epoch for milestone in self.milestones)
