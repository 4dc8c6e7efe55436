"""The networks that a training is offered."""

from __future__ import annotations

from slim_core.models.names import SMALL_RESNET

# Proposed by name; any other torchvision classifier may be typed. Asking torchvision would load torch into the page.
MODELS = (
    SMALL_RESNET, "resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2", "densenet121",
    "mobilenet_v3_large", "efficientnet_b0", "regnet_y_400mf", "convnext_tiny", "vit_b_16",
)  # fmt: skip


def offered(proposed: str, *without: str) -> tuple[tuple[str, ...], int]:
    """The models to choose from, and the place of the proposed one."""
    models = tuple(one for one in (MODELS if proposed in MODELS else (proposed, *MODELS)) if one not in without)
    return models, models.index(proposed)
