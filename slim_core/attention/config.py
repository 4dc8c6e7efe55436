"""How attention is computed, and the attribution methods by name, written here once. Light: no torch.

A method makes a map of the activations of a layer and their gradient. To add one of the grad-cam package that needs
these two alone, name it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from slim_core.parameters import Config, Display, one_of

GRAD_CAM = "grad-cam"
_OF_THE_PACKAGE, _OURS = "pytorch_grad_cam", "slim_core.attention.eigen_cam"


@dataclass(frozen=True)
class Attribution:
    """One method: a class as those of the grad-cam package, whose get_cam_image is its definition."""

    label: str
    cam: str  # name of the class
    module: str = _OF_THE_PACKAGE
    by_class: bool = True  # False: of the activations alone, the same map for every class, and no gradient is needed

    def load(self) -> Any:
        """The class. Loads torch."""
        return getattr(import_module(self.module), self.cam)


ATTRIBUTIONS: dict[str, Attribution] = {
    GRAD_CAM: Attribution("Grad-CAM", "GradCAM"),  # Selvaraju et al., ICCV 2017
    "grad-cam-plus-plus": Attribution("Grad-CAM++", "GradCAMPlusPlus"),  # Chattopadhay et al., WACV 2018
    "xgrad-cam": Attribution("XGrad-CAM", "XGradCAM"),  # Fu et al., BMVC 2020
    "hires-cam": Attribution("HiRes-CAM", "HiResCAM"),  # Draelos and Carin, arXiv 2011.08891
    "layer-cam": Attribution("Layer-CAM", "LayerCAM"),  # Jiang et al., IEEE TIP 2021
    "eigen-cam": Attribution(
        "Eigen-CAM (of no class)", "EigenCAM", _OURS, by_class=False
    ),  # Muhammad, Yeasin, IJCNN 2020
    "eigen-grad-cam": Attribution("Eigen-Grad-CAM", "EigenGradCAM", _OURS),
}


def labels() -> dict[str, str]:
    """Name -> label."""
    return {name: method.label for name, method in ATTRIBUTIONS.items()}


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
        return one_of(ATTRIBUTIONS, method)
