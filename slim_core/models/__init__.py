"""Backbones, heads, target layers and checkpoints."""

from slim_core.model_names import SMALL_RESNET
from slim_core.models.build import DEFAULT_MODEL, IMAGENET, NO_WEIGHTS, build, list_models, load_model
from slim_core.models.checkpoints import load_weights
from slim_core.models.model import Model, load_checkpoint, save_model
from slim_core.models.small_resnet import SmallResNet

__all__ = [
    "DEFAULT_MODEL",
    "IMAGENET",
    "NO_WEIGHTS",
    "SMALL_RESNET",
    "Model",
    "SmallResNet",
    "build",
    "list_models",
    "load_checkpoint",
    "load_model",
    "load_weights",
    "save_model",
]
