"""The last layer of a model, read and replaced."""

from __future__ import annotations

import numpy as np
import torch

from slim_core.errors import SpecRefusedError
from slim_core.models.model import Model
from slim_core.training.last_layer.refit import Layer


def read_last_layer(model: Model) -> Layer:
    """The last layer as it is.

    Raises:
        SpecRefusedError: the model has no linear last layer with a bias.
    """
    head = model.head
    if head is None or head.bias is None:
        raise SpecRefusedError(f"{model.name} has no linear last layer with a bias: retrain the whole model instead.")
    return Layer(*(each.detach().cpu().double().numpy() for each in (head.weight, head.bias)))


def apply_last_layer(model: Model, layer: Layer) -> None:
    """Put a fitted layer into the model.

    Raises:
        SpecRefusedError: the model has no linear last layer of this shape.
    """
    head, shape = model.head, layer.weight.shape
    if head is None or head.weight.shape != shape or head.bias is None:
        found = "none" if head is None else str(tuple(head.weight.shape))
        raise SpecRefusedError(
            f"The last layer of {model.name} ({found}) does not take weights of shape {shape}: "
            f"retrain the whole model instead."
        )
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(layer.weight.astype(np.float32)))
        head.bias.copy_(torch.from_numpy(layer.bias.astype(np.float32)))
