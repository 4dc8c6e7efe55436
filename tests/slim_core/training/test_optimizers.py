"""What is taken from torch without its compiler does what torch's own does, and never imports it."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from slim_core.models import inference
from slim_core.training import stepper


def trained(make: Callable[[list[nn.Parameter]], Optimizer]) -> Tensor:
    """The weights after ten steps, between which its state went through a checkpoint."""
    inference.manual_seed(0)
    net = nn.Linear(4, 2)
    optimizer = make(list(net.parameters()))
    for step in range(10):
        if step == 5:
            kept = optimizer.state_dict()
            optimizer = make(list(net.parameters()))
            optimizer.load_state_dict(kept)
        optimizer.zero_grad(set_to_none=True)
        net(torch.ones(3, 4)).square().sum().backward()
        optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}),
        ("AdamW", {"lr": 0.05, "weight_decay": 0.1}),
    ],
)
def test_they_do_as_those_of_torch_and_never_ask_for_its_compiler(
    name: str, options: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch._dynamo", None)  # whoever imports it fails
        ours = trained(lambda parameters: getattr(stepper, name)(parameters, **options))
    assert torch.equal(ours, trained(lambda parameters: getattr(torch.optim, name)(parameters, **options)))
