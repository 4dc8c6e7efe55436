"""How attention is computed, written here once. Light: no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from slim_core.attention.methods import GRAD_CAM, METHODS, labels
from slim_core.parameters import Config, Display, one_of

ClassOfMap = Literal["label", "predicted", "both", "any"]
CLASSES = {"label": "the label", "predicted": "the prediction", "both": "both", "any": "every class"}


TargetLayer = Annotated[
    str | None,
    Display(place="more", default="the last with a map"),
    Field(
        title="Target layer",
        description="The layer whose map is taken, by its dotted name.",
    ),
]


class PassConfig(Config):
    """Settings of one attention pass."""

    class_of_map: Annotated[ClassOfMap, Display(labels=CLASSES)] = Field(
        default="label",
        title="Map of",
        description="The class whose attention is drawn; both and any take the label's for the features and scores.",
    )
    batch_size: Annotated[int, Display(place="more")] = Field(
        default=64, ge=1, le=4096, title="Batch size", description="Images of one forward pass."
    )
    target_layer: TargetLayer = None
    method: Annotated[str, Display(labels=labels, place="more")] = Field(
        default=GRAD_CAM,
        title="Method",
        description="How the map is computed from the layer's activations and gradient.",
    )

    @field_validator("method")
    @classmethod
    def _check_method(cls, method: str) -> str:
        return one_of(METHODS, method)
