"""What the steps of a training change: the network, and what optimizer and objective keep between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from slim_core.models import eager
from slim_core.training.config import TrainConfig
from slim_core.training.objectives import Objective
from slim_core.training.precision import gradient_scaler
from slim_core.training.processes.team import ALONE, Team


def optimizer_of(net: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer that the config names, over the parameters that are trained."""
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if config.optimizer == "adamw":
        return eager.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay)
    return eager.SGD(parameters, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)


@dataclass(frozen=True)
class Learner:
    """A network that is trained. A step adds gradients, of a batch or its parts, and then moves the weights."""

    net: nn.Module
    called: nn.Module  # the network as steps call it: its gradients are those of all processes
    optimizer: torch.optim.Optimizer
    objective: Objective
    scaler: torch.amp.GradScaler

    @classmethod
    def of(
        cls, net: nn.Module, objective: Objective, config: TrainConfig, device: torch.device, team: Team = ALONE
    ) -> Learner:
        """A learner that has taken no step yet."""
        optimizer = optimizer_of(net, config)
        optimizer.zero_grad(set_to_none=True)
        return cls(net, team.distributed_net(net), optimizer, objective, gradient_scaler(config.precision, device))

    def at_rate(self, lr: float) -> None:
        """Steps have this learning rate from now on."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def add_gradient(self, loss: Tensor) -> None:
        """Add the gradient of a loss to those since the last step."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(self) -> None:
        """Move the weights by the gradients that were added."""
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps for an exact resume."""
        kept = {
            "model": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "objective": self.objective.state(),
        }
        return kept | ({"scaler": self.scaler.state_dict()} if self.scaler.is_enabled() else {})

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.net.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.objective.restore(state["objective"])
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
