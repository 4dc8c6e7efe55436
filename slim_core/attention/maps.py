"""Raw attention maps S of a batch: from the forward pass where the head allows it, else by grad-cam (METHOD S1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from slim_core.models.forward_maps import class_maps
from slim_core.models.model import Model
from slim_core.models.target_layer import evaluating


class Mapper(Protocol):
    """Runs a batch through the network once; then gives the map of any class."""

    activations: Tensor  # A (B, K, U, V)
    pooled: Tensor  # (B, K') input of the head
    logits: Tensor  # (B, C)

    def forward(self, images: Tensor) -> None:
        """Run a normalised batch (B, 3, H, W) through the network."""

    def maps(self, classes: Tensor) -> Tensor:
        """S (B, U, V) >= 0, raw: one class (B,) an image."""

    def maps_of_all(self, which: Tensor) -> Tensor:
        """S (m, C, U, V) of every class, for the images of the batch at the positions ``which`` (m,)."""


@contextmanager
def open_mapper(model: Model) -> Iterator[Mapper]:
    """The exact forward-only mapper where the head is linear on the pooled map, grad-cam elsewhere."""
    with evaluating(model.net):
        mapper: ForwardMapper | GradientMapper
        mapper = ForwardMapper(model) if model.pools_linearly else GradientMapper(model)
        try:
            yield mapper
        finally:
            mapper.close()


class _Watcher:
    """Owns the hooks that keep A and the input of the head."""

    activations: Tensor
    pooled: Tensor
    logits: Tensor

    def __init__(self, model: Model) -> None:
        self.net = model.net
        self._to_map = model.layout.to_map
        self._handles = [model.target_layer.register_forward_hook(self._keep_activations)]
        self._head = model.head
        if self._head is not None:
            self._handles.append(self._head.register_forward_pre_hook(self._keep_pooled))

    def _keep_activations(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        del module, inputs
        self.activations = output

    def _keep_pooled(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        del module
        self.pooled = inputs[0].detach()

    def close(self) -> None:
        """Take the hooks off the network again."""
        for handle in self._handles:
            handle.remove()


class ForwardMapper(_Watcher):
    """For conv -> global average pool -> linear: alpha_k = W_ck / (U V) exactly, so no gradient is needed."""

    def forward(self, images: Tensor) -> None:
        """One forward pass."""
        with torch.inference_mode():
            self.logits = self.net(images)
            if self._to_map is not None:
                self.activations = self._to_map(self.activations)

    def maps(self, classes: Tensor) -> Tensor:
        """S (B, U, V) of one class (B,) an image."""
        assert self._head is not None
        return class_maps(self.activations, self._head.weight.detach()[classes])

    def maps_of_all(self, which: Tensor) -> Tensor:
        """S (m, C, U, V)."""
        assert self._head is not None
        A, W = self.activations[which], self._head.weight.detach()  # (m, K, U, V), (C, K)
        return torch.einsum("nkuv,ck->ncuv", A, W).div(A[0, 0].numel()).relu()


class GradientMapper(_Watcher):
    """For every other architecture: one backward pass a class, by the grad-cam package."""

    def __init__(self, model: Model) -> None:
        from pytorch_grad_cam import GradCAM

        self._trainable = [p for p in model.net.parameters() if p.requires_grad]
        for parameter in self._trainable:  # only the gradient at A is wanted, which the input's carries
            parameter.requires_grad_(False)
        self._target = model.target_layer
        self._cam: Any = GradCAM(model.net, [model.target_layer], model.layout.to_map)
        super().__init__(model)

    def _keep_activations(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:  # type: ignore[override]
        """Hand a copy on: an in-place ReLU behind the layer (DenseNet) would overwrite what grad-cam keeps."""
        del module, inputs
        return output.clone()

    def forward(self, images: Tensor) -> None:
        """One forward pass, with its graph."""
        self._images = images.detach().requires_grad_(True)
        watched = self._cam.activations_and_grads
        self._logits = watched(self._images)
        self.logits = self._logits.detach()
        self.activations = watched.activations[-1].to(images.device)  # of the last call, as everywhere
        if self._head is None:
            self.pooled = self.activations.mean((2, 3))

    def maps(self, classes: Tensor) -> Tensor:
        """S (B, U, V) of one class (B,) an image."""
        watched = self._cam.activations_and_grads
        watched.gradients = []
        score = self._logits.gather(1, classes[:, None]).sum()
        torch.autograd.grad(score, self._images, retain_graph=True)
        A, gradients = self.activations.cpu().numpy(), watched.gradients[-1].numpy()
        S = self._cam.get_cam_image(self._images, self._target, None, A, gradients)  # (B, U, V)
        return torch.from_numpy(np.maximum(S, 0)).to(self.activations.device)

    def maps_of_all(self, which: Tensor) -> Tensor:
        """S (m, C, U, V): C backward passes."""
        n, n_classes = self.logits.shape
        every = [self.maps(torch.full((n,), c, device=which.device))[which] for c in range(n_classes)]
        return torch.stack(every, dim=1)

    def close(self) -> None:
        """Take off all hooks, and give the parameters their gradients back."""
        super().close()
        self._cam.activations_and_grads.release()
        for parameter in self._trainable:
            parameter.requires_grad_(True)
