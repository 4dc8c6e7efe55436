"""A classifier with everything the steps must know of it: its geometry, its classes, its target layer and head."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from slim_core import result_files
from slim_core.data.images.codec import ImageTransform
from slim_core.errors import SpecRefusedError
from slim_core.models.checkpoints import load_weights, write_tensors
from slim_core.models.names import is_custom
from slim_core.models.target_layer import NetworkLayout, evaluating, inspect_network


@dataclass
class Model:
    """A network (N, 3, size, size) -> logits (N, C), and what it was built for."""

    name: str  # as slim_core.models.names takes it
    net: nn.Module
    n_classes: int
    transform: ImageTransform  # of evaluation: maps, masks and predictions speak of these pixels
    label_names: tuple[str, ...] = ()
    named_layer: str | None = None  # the target layer that was chosen; None: the one that is found
    _layout: NetworkLayout | None = field(default=None, repr=False, compare=False)

    @property
    def layout(self) -> NetworkLayout:
        """Target layer and head, found once."""
        if self._layout is None:
            self._layout = inspect_network(
                self.net, self.transform.size, target_layer=self.named_layer, called=self.name
            )
        return self._layout

    def at_layer(self, name: str | None) -> Model:
        """The same network with another target layer; None: with the one it has."""
        return self if name in (None, self.named_layer) else replace(self, named_layer=name, _layout=None)

    @property
    def target_layer(self) -> nn.Module:
        """The layer whose output is A (K, U, V)."""
        return self.layout.target_layer

    @property
    def head(self) -> nn.Linear | None:
        """The last layer, where it is linear."""
        return self.layout.head

    @property
    def pools_linearly(self) -> bool:
        """True for conv -> global average pool -> linear: every class's map comes from the forward pass (METHOD S1)."""
        return self.layout.pools_linearly


def load_checkpoint(model: Model, path: Path | str, *, new_head: bool = False) -> None:
    """Fill the model from a checkpoint of someone else's training.

    ``new_head``: where it was trained on another number of classes, the head keeps its own initial weights.

    Raises:
        CheckpointRefusedError: unreadable, code inside, or tensors that do not fit.
    """
    load_weights(model.net, path, model.name, n_classes=model.n_classes, new_head=new_head)


def save_model(model: Model, folder: Path) -> None:
    """Write weights.safetensors and model.json into an existing folder.

    With a network of one's own goes by what it is known again: the code of its function may change.
    """
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.net.state_dict().items()}
    write_tensors(state, folder / result_files.WEIGHTS)
    about = {
        "name": model.name,
        "n_classes": model.n_classes,
        "label_names": list(model.label_names),
        "transform": model.transform.to_json(),
        "network": _facts(model),
    }
    if is_custom(model.name):
        about["signature"] = signature(model.net, model.transform.size)
    (folder / result_files.MODEL).write_text(json.dumps(about, indent=2))


def _facts(model: Model) -> dict[str, Any]:
    """What is known of its layout; or why it has no attention, which a model may do without."""
    try:
        return model.layout.facts.to_json()
    except SpecRefusedError as error:
        return {"refused": str(error)}


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


def check_logits(net: nn.Module, name: str, n_classes: int, size: int) -> None:
    """One forward pass of two grey images: a wrong size or number of classes is refused before hours of training.

    Raises:
        SpecRefusedError: the network takes no images of this size, or gives no logits (N, n_classes).
    """
    try:
        with evaluating(net), torch.no_grad():  # no inference mode: the weights of lazy layers are made here
            logits = net(torch.zeros(2, 3, size, size))
    except Exception as error:  # as where it is made
        first = str(error).splitlines()[0] if str(error) else "no message"
        raise SpecRefusedError(
            f"{name} does not take colour images of {size} px ({type(error).__name__}: {first}): give another image "
            f"size, or a network that takes tensors (N, 3, {size}, {size})."
        ) from error
    if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != (2, n_classes):
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise SpecRefusedError(f"{name} gives {shape} for two images: logits of the shape (2, {n_classes}) are needed.")


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
