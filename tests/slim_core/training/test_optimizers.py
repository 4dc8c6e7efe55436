"""The optimizer of a config does what torch's own does, and never imports its compiler."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW

from slim_core.models import inference
from slim_core.training.config import Optimizer, TrainConfig
from slim_core.training.stepper import optimizer_of


def trained(make: Callable[[nn.Module], torch.optim.Optimizer]) -> Tensor:
    """The weights after ten steps, between which its state went through a checkpoint."""
    inference.manual_seed(0)
    net = nn.Linear(4, 2)
    optimizer = make(net)
    for step in range(10):
        if step == 5:
            kept = optimizer.state_dict()
            optimizer = make(net)
            optimizer.load_state_dict(kept)
        optimizer.zero_grad(set_to_none=True)
        net(torch.ones(3, 4)).square().sum().backward()
        optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


@pytest.mark.parametrize(("name", "theirs"), [("sgd", partial(SGD, momentum=0.9)), ("adamw", AdamW)])
def test_it_does_as_that_of_torch_and_never_asks_for_its_compiler(
    name: Optimizer, theirs: Callable[..., torch.optim.Optimizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(optimizer=name, lr=0.05, weight_decay=0.1)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch._dynamo", None)  # whoever imports it fails
        ours = trained(lambda net: optimizer_of(net, config))
    assert torch.equal(ours, trained(lambda net: theirs(net.parameters(), lr=0.05, weight_decay=0.1)))
