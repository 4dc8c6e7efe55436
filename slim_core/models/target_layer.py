"""Where a network's last map and head are, found by watching one forward pass rather than by a list of names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

TRANSFORMER = "torchvision.models.vision_transformer.VisionTransformer"  # by name: importing it takes a second
POOLS = (nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.Dropout)


@dataclass(frozen=True)
class NetworkLayout:
    """The target layer and the head of a network, as the attention step needs them."""

    target_layer: nn.Module  # its output is A
    head: nn.Linear | None  # the last layer, where it is linear
    pools_linearly: bool  # logits = head(mean over u, v of A): every class's map comes from the forward pass
    to_map: Callable[[Tensor], Tensor] | None = None  # brings A to (N, K, U, V) where it is not


def tokens_to_map(tokens: Tensor) -> Tensor:
    """(N, 1 + U*U, K) of a vision transformer -> (N, K, U, U), without the class token."""
    n, n_tokens, n_channels = tokens.shape
    side = round((n_tokens - 1) ** 0.5)
    return tokens[:, 1:].transpose(1, 2).reshape(n, n_channels, side, side)


@dataclass
class _Seen:
    """What the hooks keep of a forward pass: the last map, and the last linear layer with what went in and out."""

    not_channels: int | None = None  # maps of so many channels do not count
    target: nn.Module | None = None
    maps: Tensor | None = None  # (N, K, U, V)
    head: nn.Linear | None = None
    pooled: Tensor | None = None  # (N, K)
    logits: Tensor | None = None  # (N, C)

    def watch(self, module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        """A forward hook. Maps are cloned: a later in-place ReLU (DenseNet) would make a pre-ReLU map look pooled."""
        if not isinstance(output, Tensor):
            return
        if isinstance(module, nn.Linear) and output.dim() == 2:
            self.head, self.pooled, self.logits = module, inputs[0], output
        elif self._is_map(output) and not isinstance(module, POOLS):
            self.target, self.maps = module, output.clone()

    def _is_map(self, output: Tensor) -> bool:
        return output.dim() == 4 and output.shape[-1] * output.shape[-2] > 1 and output.shape[1] != self.not_channels


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; each module gets its own mode back."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _probe(net: nn.Module, size: int, not_channels: int | None = None) -> tuple[_Seen, Tensor]:
    """One forward pass of two random images, watched."""
    seen = _Seen(not_channels)
    handles = [module.register_forward_hook(seen.watch) for module in net.modules() if module is not net]
    noise = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        with evaluating(net), torch.inference_mode():
            output: Tensor = net(noise.to(next(net.parameters()).device))
    finally:
        for handle in handles:
            handle.remove()
    return seen, output


def inspect_network(net: nn.Module, size: int) -> NetworkLayout:
    """Find the target layer, the head and whether the head sees the plain spatial mean of the map.

    Args:
        net: images (N, 3, size, size) in, logits (N, C) out.
        size: side of the network's input in pixels.

    Raises:
        ValueError: no layer of the network gives a map.
    """
    seen, output = _probe(net, size)
    if seen.head is None:  # a head of 1x1 convolutions (SqueezeNet): its class maps are no features
        seen, output = _probe(net, size, not_channels=output.shape[1])
    is_head = seen.logits is not None and torch.equal(seen.logits, output)
    head = seen.head if is_head else None
    if _is_transformer(net):  # behind the last attention only the class token counts
        return NetworkLayout(cast(Any, net).encoder.layers[-1].ln_1, head, False, tokens_to_map)
    if seen.target is None or seen.maps is None:
        raise ValueError(f"{type(net).__name__} has no layer with a spatial map, so it has no attention to show.")
    return NetworkLayout(seen.target, head, head is not None and _is_mean(seen.maps, seen.pooled))


def _is_transformer(net: nn.Module) -> bool:
    return any(f"{each.__module__}.{each.__qualname__}" == TRANSFORMER for each in type(net).__mro__)


def _is_mean(maps: Tensor, pooled: Tensor | None) -> bool:
    if pooled is None or pooled.shape != maps.shape[:2]:
        return False
    scale = float(pooled.abs().max())
    return scale > 0 and torch.allclose(maps.mean((2, 3)), pooled, rtol=1e-4, atol=1e-5 * scale)
