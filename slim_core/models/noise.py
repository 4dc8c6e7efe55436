"""What a network gives for two images of noise: the same as long as neither its weights nor its code change."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from slim_core.models.target_layer import evaluating

N_IMAGES = 2
_N_KEPT = 32  # outputs of an image: enough to tell two networks apart, and few numbers for 1,000 classes
_TOLERANCE = 0.03  # of the largest output: in bfloat16, other kernels for the same operations change 0.01 of it
_SMALLEST = 1e-6


def outputs_of_noise(net: nn.Module, size: int) -> Tensor:
    """(2, C) float32 of a network on the CPU, in evaluation mode."""
    noise = torch.randn(N_IMAGES, 3, size, size, generator=torch.Generator().manual_seed(0))
    with evaluating(net), torch.no_grad():
        outputs: Tensor = net(noise)
    return outputs.float()


def signature(net: nn.Module, size: int) -> list[list[float]] | None:
    """The outputs by which the network is known again; None where they are not finite, or not the same twice.

    They are of the CPU, wherever the network is: on a GPU they would be less exact.
    """
    device = next(net.parameters(), torch.empty(0)).device
    net.cpu()
    try:
        once, again = (outputs_of_noise(net, size)[:, :_N_KEPT] for _ in range(2))
    finally:
        net.to(device)
    return once.tolist() if once.isfinite().all() and _agree(once, again) else None


def is_known_by(known: list[list[float]], net: nn.Module, size: int) -> bool:
    """Whether the network, on the CPU, still gives the outputs of its ``signature``."""
    return _agree(torch.tensor(known), outputs_of_noise(net, size)[:, :_N_KEPT])


def _agree(known: Tensor, found: Tensor) -> bool:
    if known.shape != found.shape:
        return False
    return bool((known - found).abs().max() <= _TOLERANCE * known.abs().max() + _SMALLEST)
