"""Attention maps that come with the forward pass: of networks that end in "mean over positions, then linear"."""

from __future__ import annotations

import torch
from torch import Tensor

from slim_core.models.model import Model
from slim_core.models.target_layer import evaluating


def class_maps(A: Tensor, W: Tensor) -> Tensor:
    """S = ReLU(sum_k alpha_k A_k), (B, U, V), of A (B, K, U, V) and one row of the head's weights an image W (B, K).

    alpha_k = W_ck / (U V) is exact where the logits are linear in the mean of A over its positions (METHOD S1).
    """
    return torch.einsum("nkuv,nk->nuv", A, W).div(A[0, 0].numel()).relu()


def forward_maps(model: Model, images: Tensor, classes: Tensor) -> Tensor:
    """Raw maps S (B, U, V) >= 0 of one class (B,) an image, in evaluation mode; with a gradient where one is recorded.

    Args:
        model: one that ``pools_linearly``.
        images: (B, 3, H, W), normalised.
        classes: whose map, one an image.
    """
    assert model.head is not None
    seen: list[Tensor] = []
    handle = model.target_layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    try:
        with evaluating(model.net):
            model.net(images)
    finally:
        handle.remove()
    A = model.layout.form.map_of(seen[-1])
    return class_maps(A.float(), model.head.weight.float()[classes])
