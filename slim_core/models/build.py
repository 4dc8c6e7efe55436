"""Make a model by name: the demo's small network, one of torchvision or timm with a new head, or a user's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from slim_core import result_files
from slim_core.data.images.transform import ImageTransform
from slim_core.errors import CheckpointRefusedError, SpecRefusedError
from slim_core.models import eager
from slim_core.models.checkpoint_files import check_checkpoint_file
from slim_core.models.checkpoints import load_weights
from slim_core.models.model import Model, is_known_by
from slim_core.models.names import LARGEST_SIDE, SMALL_RESNET, SMALL_SIZE, SMALLEST_SIDE, is_custom, is_timm

IMAGENET, NO_WEIGHTS = "imagenet", "none"
_REMEDY = "put it back from a backup, or train the model again."


def list_models() -> list[str]:
    """The names ``build`` takes, beside those of timm's models and of functions of a user's own."""
    from slim_core.models.published import names  # here, as below: it takes longer to import than torch

    return [SMALL_RESNET, *names()]


def build(
    name: str,
    n_classes: int,
    *,
    label_names: tuple[str, ...] = (),
    weights: str | Path = IMAGENET,
    image_size: int | None = None,
    seed: int = 0,
) -> Model:
    """A model with a new head of ``n_classes`` outputs.

    Args:
        name: one of ``list_models``, a model of timm as timm:NAME, or a function that makes a network, as
            package.module:function.
        n_classes: C.
        label_names: C names, kept with the model.
        weights: "imagenet", "none", or the path of a checkpoint that fits the whole network. The small network has
            no ImageNet weights and starts from scratch.
        image_size: side of the input in pixels; default: what the architecture was published with.
        seed: of the new weights.

    Raises:
        SpecRefusedError: no such model, or it cannot take images of this size.
        WeightsMissingError: ImageNet weights are not on disk and cannot be downloaded.
        CheckpointRefusedError: the checkpoint does not fit.
    """
    _check(name, n_classes)
    if image_size is not None and not SMALLEST_SIDE <= image_size <= LARGEST_SIDE:
        raise SpecRefusedError(f"The image size is {image_size}: give {SMALLEST_SIDE} to {LARGEST_SIDE} pixels.")
    model = _builder(name)(name, n_classes, label_names, str(weights) == IMAGENET, image_size, seed)
    model.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast, on CPUs too
    if str(weights) not in (IMAGENET, NO_WEIGHTS):
        load_weights(model.net, Path(weights), name, n_classes=n_classes)
    return model


def _builder(name: str) -> Callable[[str, int, tuple[str, ...], bool, int | None, int], Model]:
    """What makes the model; only what it needs is imported."""
    if is_custom(name):
        from slim_core.models.custom import build_custom

        return build_custom
    if is_timm(name):
        from slim_core.models.published import build_timm

        return build_timm
    if name == SMALL_RESNET:
        return _build_small
    from slim_core.models.published import build_published

    return build_published


def _check(name: str, n_classes: int) -> None:
    if not is_custom(name) and not is_timm(name) and name != SMALL_RESNET and name not in list_models():
        raise SpecRefusedError(
            f"There is no model {name!r}: use {SMALL_RESNET}, resnet50 or another torchvision classifier, a timm model "
            f"as timm:NAME, or a function of your own as package.module:function."
        )
    if n_classes < 2:
        raise SpecRefusedError(f"A classifier needs at least two classes, not {n_classes}: check the labels.")


def _build_small(
    name: str, n_classes: int, label_names: tuple[str, ...], pretrained: bool, image_size: int | None, seed: int
) -> Model:
    """From scratch, ``pretrained`` or not: nobody has published weights of it."""
    del pretrained
    with torch.random.fork_rng(devices=[]):
        eager.manual_seed(seed)
        net = SmallResNet(n_classes)
    transform = ImageTransform(size=image_size or SMALL_SIZE, resize_ratio=1.0)
    return Model(name, net, n_classes, transform, label_names)


def load_model(folder: Path) -> Model:
    """The model ``save_model`` wrote.

    Raises:
        CheckpointRefusedError: the folder does not hold one, or the code of its network was changed.
    """
    about_path = folder / result_files.MODEL
    if not about_path.is_file():
        raise CheckpointRefusedError(f"{folder} holds no model ({result_files.MODEL} is missing): train one first.")
    try:
        about = json.loads(about_path.read_text())
        transform = ImageTransform.from_json(about["transform"])
        name, n_classes, label_names = str(about["name"]), int(about["n_classes"]), tuple(about["label_names"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointRefusedError(f"{about_path} is damaged: {_REMEDY}") from error
    weights = folder / result_files.WEIGHTS
    try:
        check_checkpoint_file(weights)
    except CheckpointRefusedError as error:  # whose remedy is for a file that somebody names
        raise CheckpointRefusedError(f"{weights} is missing or damaged: {_REMEDY}") from error
    model = build(name, n_classes, weights=NO_WEIGHTS, image_size=transform.size)
    model.transform, model.label_names = transform, label_names
    if is_custom(name):
        _load_unchanged(model, weights, about.get("signature"))
    else:
        load_weights(model.net, weights, name)
    return model


def _load_unchanged(model: Model, weights: Path, known: list[list[float]] | None) -> None:
    """Fill a network of one's own, whose function may make another one by now.

    Raises:
        CheckpointRefusedError: the weights do not fit, or the network gives other outputs with them than when it was
            saved.
    """
    changed = (
        f"The code of {model.name} was changed since {weights} was saved: put it back as it was, or train the model "
        f"again (slim train --force)."
    )
    try:
        load_weights(model.net, weights, model.name)
    except CheckpointRefusedError as error:
        raise CheckpointRefusedError(changed) from error
    if known is not None and not is_known_by(known, model.net, model.transform.size):
        raise CheckpointRefusedError(changed)


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm and a shortcut (He et al. 2016)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_in, H, W) -> (N, n_out, H / stride, W / stride)."""
        out = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(out)) + self.shortcut(x))


class SmallResNet(nn.Module):
    """A stride-2 stem and three stages of one block each; the last map is an eighth of the image: (N, 64, 8, 8)."""

    def __init__(self, n_classes: int, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.stages = nn.Sequential(Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2))
        self.fc = nn.Linear(4 * width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> logits (N, C)."""
        maps: Tensor = self.stages(self.stem(x))  # (N, K, U, V)
        logits: Tensor = self.fc(maps.mean((2, 3)))
        return logits
