"""A classifier with everything the steps must know of it: its geometry, its classes, its target layer and head."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from slim_core import result_files
from slim_core.data.images import ImageTransform
from slim_core.models.checkpoints import load_weights, write_tensors
from slim_core.models.target_layer import NetworkLayout, inspect_network


@dataclass
class Model:
    """A network (N, 3, size, size) -> logits (N, C), and what it was built for."""

    name: str  # "small-resnet", or a classifier of torchvision
    net: nn.Module
    n_classes: int
    transform: ImageTransform  # of evaluation: maps, masks and predictions speak of these pixels
    label_names: tuple[str, ...] = ()
    _layout: NetworkLayout | None = field(default=None, repr=False, compare=False)

    @property
    def layout(self) -> NetworkLayout:
        """Target layer and head, found once."""
        if self._layout is None:
            self._layout = inspect_network(self.net, self.transform.size)
        return self._layout

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


def load_checkpoint(model: Model, path: Path | str) -> None:
    """Fill the model from a checkpoint of someone else's training.

    Raises:
        CheckpointRefusedError: unreadable, code inside, or tensors that do not fit.
    """
    load_weights(model.net, path, model.name)


def save_model(model: Model, folder: Path) -> None:
    """Write weights.safetensors and model.json into an existing folder."""
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.net.state_dict().items()}
    write_tensors(state, folder / result_files.WEIGHTS)
    about = {
        "name": model.name,
        "n_classes": model.n_classes,
        "label_names": list(model.label_names),
        "transform": model.transform.to_json(),
    }
    (folder / result_files.MODEL).write_text(json.dumps(about, indent=2))
