"""Where the attention of a network comes from, as model.json keeps it for pages and the command line. Light: no torch.

A leaf of its own, as result_files: models writes it, and store reads it, which imports no models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

MapPath = Literal["forward", "gradient"]


@dataclass(frozen=True)
class NetworkFacts:
    """Target layer and head of a network, and how its maps are computed."""

    target_layer: str  # dotted name of the module whose output is A
    map_shape: tuple[int, int, int]  # K channels, U x V positions
    head: str | None  # dotted name of the last layer, where it is linear
    path: MapPath  # forward: every class's map comes with the forward pass; gradient: one backward pass a class
    reason: str  # why the gradient is needed; "" for the forward path
    layers: tuple[str, ...]  # every layer that has a map, in the order of the forward pass

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> NetworkFacts:
        """What ``to_json`` wrote."""
        return cls(**{**values, "map_shape": tuple(values["map_shape"]), "layers": tuple(values["layers"])})

    @property
    def described(self) -> str:
        """Two sentences: which layer, and how its maps are computed."""
        n_channels, height, width = self.map_shape
        layer = f"Attention comes from the layer {self.target_layer} ({n_channels:,} channels, {height} x {width})."
        if self.path == "forward":
            return f"{layer} The map of every class is computed exactly in the forward pass."
        return f"{layer} Each map takes one backward pass (Grad-CAM), because {self.reason}."
