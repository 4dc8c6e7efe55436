"""Attribution methods by name: each makes a map of the activations of a layer and their gradient. Light: no torch.

To add one of the grad-cam package that needs these two alone, name it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

GRAD_CAM = "grad-cam"
_OF_THE_PACKAGE, _OURS = "pytorch_grad_cam", "slim_core.attention.eigen_cam"


@dataclass(frozen=True)
class Method:
    """One method: a class as those of the grad-cam package, whose get_cam_image is its definition."""

    label: str
    cam: str  # name of the class
    module: str = _OF_THE_PACKAGE
    by_class: bool = True  # False: of the activations alone, the same map for every class, and no gradient is needed

    def load(self) -> Any:
        """The class. Loads torch."""
        return getattr(import_module(self.module), self.cam)


METHODS: dict[str, Method] = {
    GRAD_CAM: Method("Grad-CAM", "GradCAM"),  # Selvaraju et al., ICCV 2017
    "grad-cam-plus-plus": Method("Grad-CAM++", "GradCAMPlusPlus"),  # Chattopadhay et al., WACV 2018
    "xgrad-cam": Method("XGrad-CAM", "XGradCAM"),  # Fu et al., BMVC 2020
    "hires-cam": Method("HiRes-CAM", "HiResCAM"),  # Draelos and Carin, arXiv 2011.08891
    "layer-cam": Method("Layer-CAM", "LayerCAM"),  # Jiang et al., IEEE TIP 2021
    "eigen-cam": Method("Eigen-CAM (of no class)", "EigenCAM", _OURS, by_class=False),  # Muhammad, Yeasin, IJCNN 2020
    "eigen-grad-cam": Method("Eigen-Grad-CAM", "EigenGradCAM", _OURS),
}


def labels() -> dict[str, str]:
    """Name -> label."""
    return {name: method.label for name, method in METHODS.items()}
