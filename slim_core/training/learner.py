"""What the steps of a training change: the network, and what optimizer and objective keep between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from slim_core.models import eager
from slim_core.training.config import MOMENTUM, TrainConfig
from slim_core.training.objectives import Objective
from slim_core.training.processes.team import ALONE, Team


def optimizer_of(net: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer that the config names, over the parameters that are trained."""
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if config.optimizer == "adamw":
        return eager.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay)
    return eager.SGD(parameters, lr=config.lr, momentum=MOMENTUM, weight_decay=config.weight_decay)


@dataclass(frozen=True)
class Learner:
    """A network that is trained."""

    net: nn.Module
    called: nn.Module  # the network as steps call it: its gradients are those of all processes
    optimizer: torch.optim.Optimizer
    objective: Objective

    @classmethod
    def of(cls, net: nn.Module, objective: Objective, config: TrainConfig, team: Team = ALONE) -> Learner:
        """A learner that has taken no step yet."""
        optimizer = optimizer_of(net, config)
        optimizer.zero_grad(set_to_none=True)
        return cls(net, team.distributed_net(net), optimizer, objective)

    def at_rate(self, lr: float) -> None:
        """Steps have this learning rate from now on."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def step(self, loss: Tensor) -> None:
        """Move the weights down the gradient of a loss."""
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps for an exact resume."""
        return {
            "model": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "objective": self.objective.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.net.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.objective.restore(state["objective"])
