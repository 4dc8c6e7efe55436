"""A linear layer trained by gradient steps on pooled features."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from slim_core.models import eager
from slim_core.training.last_layer.refit import Layer, PooledImages
from slim_core.training.sampling import equal_shares

_MOMENTUM = 0.9


class BalancedSgd:
    """SGD on the cross-entropy of batches that draw every class equally often, with replacement."""

    def __init__(self, layer: Layer, images: PooledImages, batch_size: int, seed: int) -> None:
        """``layer``: where it starts. An image that counts twice is drawn twice as often."""
        self._random, self._shares = np.random.default_rng(seed), _shares(images)
        self._X, self._labels, self._batch_size = (
            as_tensor(images.features),
            torch.from_numpy(images.labels),
            batch_size,
        )
        self._net = as_module(layer)
        self._optimizer = eager.SGD(self._net.parameters(), lr=1.0, momentum=_MOMENTUM)

    def steps(self, lrs: Iterable[float]) -> Layer:
        """The layer after a step at each of these learning rates."""
        for lr in lrs:
            self._optimizer.param_groups[0]["lr"] = lr
            rows = torch.from_numpy(self._random.choice(len(self._shares), self._batch_size, p=self._shares))
            self._optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self._net(self._X[rows]), self._labels[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
        return as_layer(self._net)


def _shares(images: PooledImages) -> np.ndarray:
    """(n,) probabilities: each class the same, in it by how often an image counts."""
    if images.counts is None:
        return equal_shares(images.labels)
    of_class = np.bincount(images.labels, weights=images.counts)
    shares: np.ndarray = images.counts / of_class[images.labels] / np.count_nonzero(of_class)
    return shares


def as_tensor(values: np.ndarray) -> Tensor:
    """float32."""
    return torch.from_numpy(np.asarray(values, np.float32))


def as_module(layer: Layer) -> nn.Linear:
    """The layer in float32, to be trained."""
    net = nn.Linear(layer.weight.shape[1], layer.weight.shape[0])
    with torch.no_grad():
        net.weight.copy_(torch.from_numpy(layer.weight))
        net.bias.copy_(torch.from_numpy(layer.bias))
    return net


def as_layer(net: nn.Linear) -> Layer:
    """What the module is now."""
    return Layer(*(parameter.detach().cpu().double().numpy() for parameter in (net.weight, net.bias)))
