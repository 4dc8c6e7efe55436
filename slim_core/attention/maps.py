"""Raw attention maps S of a batch: from the forward pass where that is exact, else by a gradient (METHOD S1).

A method makes S of the activations A and of their gradient G. Where logits = W mean(A), G = W_c / (U V) at every
position, so that every method is exact without a backward pass; so is one that needs no gradient, on any network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import pytorch_grad_cam
import torch
from torch import Tensor, nn

from slim_core.attention.config import ATTRIBUTIONS, GRAD_CAM
from slim_core.models.model import Model
from slim_core.models.target_layer import evaluating
from slim_core.result_files import MapPath


def class_maps(A: Tensor, W: Tensor) -> Tensor:
    """S = ReLU(sum_k alpha_k A_k), (B, U, V), of A (B, K, U, V) and one row of the head's weights an image W (B, K).

    alpha_k = W_ck / (U V) is exact where the logits are linear in the mean of A over its positions (METHOD S1).
    """
    return torch.einsum("nkuv,nk->nuv", A, W).div(A[0, 0].numel()).relu()


class Mapper(Protocol):
    """Runs a batch through the network once; then gives the map of any class."""

    activations: Tensor  # A (B, K, U, V) float32, in whatever precision the network computes
    pooled: Tensor  # (B, K') input of the head
    logits: Tensor  # (B, C)

    def forward(self, images: Tensor) -> None:
        """Run a normalised batch (B, 3, H, W) through the network."""

    def maps(self, classes: Tensor) -> Tensor:
        """S (B, U, V) >= 0, raw: one class (B,) an image."""

    def maps_of_all(self, which: Tensor) -> Tensor:
        """S (m, C, U, V) of every class, for the images of the batch at the positions ``which`` (m,)."""


def path_of(model: Model, method: str) -> MapPath:
    """Whether the maps of a method come with the forward pass, or take a backward pass a class."""
    return "forward" if model.pools_linearly or not ATTRIBUTIONS[method].by_class else "gradient"


@contextmanager
def open_mapper(model: Model, method: str = GRAD_CAM) -> Iterator[Mapper]:
    """Forward-only where that is exact."""
    with evaluating(model.net):
        mapper = _mapper(model, method)
        try:
            yield mapper
        finally:
            mapper.close()


def _mapper(model: Model, method: str) -> ForwardMapper | KnownGradientMapper | GradientMapper:
    if path_of(model, method) == "gradient":
        return GradientMapper(model, method)
    return ForwardMapper(model) if method == GRAD_CAM else KnownGradientMapper(model, method)


class _Watcher:
    """Owns the hooks that keep A and the input of the head."""

    activations: Tensor
    pooled: Tensor
    logits: Tensor

    def __init__(self, model: Model) -> None:
        self.net = model.net
        self._form = model.layout.form
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
            self.activations = self._form.map_of(self.activations).float()

    def maps(self, classes: Tensor) -> Tensor:
        """S (B, U, V) of one class (B,) an image."""
        assert self._head is not None
        return class_maps(self.activations, self._head.weight.detach()[classes].float())

    def maps_of_all(self, which: Tensor) -> Tensor:
        """S (m, C, U, V)."""
        assert self._head is not None
        A, W = self.activations[which], self._head.weight.detach().float()  # (m, K, U, V), (C, K)
        return torch.einsum("nkuv,ck->ncuv", A, W).div(A[0, 0].numel()).relu()


class KnownGradientMapper(_Watcher):
    """The other methods where G is known, or not needed."""

    def __init__(self, model: Model, method: str) -> None:
        self._by_class = ATTRIBUTIONS[method].by_class
        self._cam = _open_cam(model, method)
        self._cam.activations_and_grads.release()
        super().__init__(model)

    def _keep_activations(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """A copy: an in-place ReLU behind the layer (DenseNet) would overwrite it."""
        del module, inputs
        self.activations = output.clone()

    def forward(self, images: Tensor) -> None:
        """One forward pass."""
        with torch.inference_mode():
            self.logits = self.net(images)
            self.activations = self._form.map_of(self.activations).float()
            if self._head is None:
                self.pooled = self.activations.mean((2, 3))

    def maps(self, classes: Tensor) -> Tensor:
        """S (B, U, V) of one class (B,) an image."""
        return self._maps(self.activations, classes)

    def maps_of_all(self, which: Tensor) -> Tensor:
        """S (m, C, U, V)."""
        A, n_classes = self.activations[which], self.logits.shape[1]
        if not self._by_class:
            return self._maps(A, which)[:, None].expand(-1, n_classes, -1, -1)
        return torch.stack([self._maps(A, torch.full_like(which, c)) for c in range(n_classes)], dim=1)

    def _maps(self, A: Tensor, classes: Tensor) -> Tensor:
        if not self._by_class:
            return _cam_image(self._cam, A, torch.zeros_like(A))
        assert self._head is not None
        G = self._head.weight.detach()[classes].float() / A[0, 0].numel()  # (B, K)
        return _cam_image(self._cam, A, G[:, :, None, None].expand_as(A))


class GradientMapper(_Watcher):
    """For every other architecture: one backward pass a class."""

    def __init__(self, model: Model, method: str = GRAD_CAM) -> None:
        self._trainable = [p for p in model.net.parameters() if p.requires_grad]
        for parameter in self._trainable:  # only the gradient at A is wanted, which the input's carries
            parameter.requires_grad_(False)
        self._cam = _open_cam(model, method)
        super().__init__(model)

    def _keep_activations(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:  # type: ignore[override]
        """Hand a copy on: an in-place ReLU behind the layer (DenseNet) would overwrite what grad-cam keeps."""
        del module, inputs
        return output.clone()

    def forward(self, images: Tensor) -> None:
        """One forward pass, with its graph."""
        self._images = images.detach().requires_grad_(True)
        self._logits = self._images  # lets go of the graph of the batch before: two of them take twice the memory
        watched = self._cam.activations_and_grads
        self._logits = watched(self._images * 1)  # not the leaf itself, which no layer could change in place
        self.logits = self._logits.detach()
        self.activations = watched.activations[-1].to(images.device).float()  # of the last call, as everywhere
        if self._head is None:
            self.pooled = self.activations.mean((2, 3))

    def maps(self, classes: Tensor) -> Tensor:
        """S (B, U, V) of one class (B,) an image."""
        watched = self._cam.activations_and_grads
        watched.gradients = []
        score = self._logits.gather(1, classes[:, None]).sum()
        torch.autograd.grad(score, self._images, retain_graph=True)
        return _cam_image(self._cam, self.activations, watched.gradients[-1].float())

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


def _open_cam(model: Model, method: str) -> Any:
    """One as those of the grad-cam package, with hooks on the target layer."""
    return ATTRIBUTIONS[method].load()(model.net, [model.target_layer], model.layout.form.to_map)


def _cam_image(cam: Any, A: Tensor, G: Tensor) -> Tensor:
    """S (B, U, V) >= 0 of the activations and their gradient, (B, K, U, V) each."""
    S = cam.get_cam_image(None, None, None, A.cpu().numpy(), G.cpu().numpy(), False)
    return torch.from_numpy(np.maximum(S, 0)).to(A.device)


def principal_component(values: np.ndarray) -> np.ndarray:
    """(B, U, V): of (B, K, U, V), the positions as K-vectors, centred, along their first principal component."""
    n, _, height, width = values.shape
    X = values.reshape(n, -1, height * width).transpose(0, 2, 1)  # (B, U V, K)
    U, S, _ = np.linalg.svd(X - X.mean(axis=1, keepdims=True), full_matrices=False)
    along = (U[:, :, 0] * S[:, :1]).reshape(n, height, width)
    is_negative = -along.min((1, 2)) > along.max((1, 2))
    found: np.ndarray = np.where(is_negative[:, None, None], -along, along)
    return found


class EigenCAM(pytorch_grad_cam.EigenCAM):  # type: ignore[misc]
    """The principal component of the activations."""

    def get_cam_image(self, *given: Any) -> np.ndarray:
        """(B, U, V), of what BaseCAM hands over: input, layer, targets, activations, gradient, smoothing."""
        return principal_component(given[3])


class EigenGradCAM(pytorch_grad_cam.EigenGradCAM):  # type: ignore[misc]
    """The principal component of the activations times their gradient."""

    def get_cam_image(self, *given: Any) -> np.ndarray:
        """(B, U, V), of the same."""
        return principal_component(given[3] * given[4])
