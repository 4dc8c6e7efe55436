"""Make a model by name: the demo's small network, one of torchvision or timm with a new head, or a user's own.

A network of the user's own goes by the name of a function: ``package.module:function``. It is called with the number of
classes and returns a torch ``nn.Module`` that takes images (N, 3, size, size) and gives logits (N, C). Where it has the
parameter ``pretrained``, that is False when a saved model is opened: its own weights follow. What it needs of its
images may be attributes of the module: ``image_size`` (pixels), ``resize_ratio``, ``mean`` and ``std``; else they are
ImageNet's.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from slim_core import result_files
from slim_core.data.images.codec import IMAGENET_MEAN, IMAGENET_STD, ImageTransform
from slim_core.errors import CheckpointRefusedError, SlimError, SpecRefusedError, quoted
from slim_core.models import inference
from slim_core.models.checkpoints import check_checkpoint_file, load_weights
from slim_core.models.model import N_IMAGES, Model, check_logits, is_known_by, outputs_of_noise
from slim_core.models.names import (
    LARGEST_SIDE,
    SMALL_RESNET,
    SMALL_SIZE,
    SMALLEST_SIDE,
    is_custom,
    is_timm,
    require_allowed_module,
)

Weights = Literal["imagenet", "none"]  # to start from
_REMEDY = "put it back from a backup, or train the model again."


def build(
    name: str,
    n_classes: int,
    *,
    label_names: tuple[str, ...] = (),
    weights: Weights = "imagenet",
    image_size: int | None = None,
    seed: int = 0,
) -> Model:
    """A model with a new head of ``n_classes`` outputs.

    Args:
        name: small-resnet, a classifier of torchvision, a model of timm as timm:NAME, or a function that makes a
            network, as package.module:function.
        n_classes: C.
        label_names: C names, kept with the model.
        weights: to start from. The small network has no ImageNet weights and starts from scratch.
        image_size: side of the input in pixels; default: what the architecture was published with.
        seed: of the new weights.

    Raises:
        SpecRefusedError: no such model, or it cannot take images of this size.
        WeightsMissingError: ImageNet weights are not on disk and cannot be downloaded.
        CheckpointRefusedError: the file of the ImageNet weights is broken.
    """
    if n_classes < 2:
        raise SpecRefusedError(f"A classifier needs at least two classes, not {n_classes}: check the labels.")
    if image_size is not None and not SMALLEST_SIDE <= image_size <= LARGEST_SIDE:
        raise SpecRefusedError(f"The image size is {image_size}: give {SMALLEST_SIDE} to {LARGEST_SIDE} pixels.")
    model = _builder(name)(name, n_classes, label_names, weights == "imagenet", image_size, seed)
    model.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast, on CPUs too
    return model


def _builder(name: str) -> Callable[[str, int, tuple[str, ...], bool, int | None, int], Model]:
    """What makes the model; only what it needs is imported."""
    if is_custom(name):
        return build_custom
    if name == SMALL_RESNET:
        return _build_small
    from slim_core.models import published  # which takes longer to import than torch

    if is_timm(name):
        return published.build_timm
    if name in published.names():
        return published.build_published
    raise SpecRefusedError(
        f"There is no model {name!r}: use {SMALL_RESNET}, resnet50 or another torchvision classifier, a timm model as "
        f"timm:NAME, or a function of your own as package.module:function."
    )


def _build_small(
    name: str, n_classes: int, label_names: tuple[str, ...], pretrained: bool, image_size: int | None, seed: int
) -> Model:
    """From scratch, ``pretrained`` or not: nobody has published weights of it."""
    del pretrained
    with torch.random.fork_rng(devices=[]):
        inference.manual_seed(seed)
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
    model = build(name, n_classes, weights="none", image_size=transform.size)
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


Form = TypeVar("Form")
IMAGENET_SIZE = 224


def build_custom(
    name: str, n_classes: int, label_names: tuple[str, ...], pretrained: bool, image_size: int | None, seed: int
) -> Model:
    """The network a function makes; the arguments are those of ``slim_core.models.build.build``.

    Raises:
        SpecRefusedError: its module may not be used here or does not import, there is no such function, it fails, or
            what it returns is not a network for images of this size with ``n_classes`` logits.
    """
    function = _function_of(name)
    options = {"pretrained": pretrained} if _takes_pretrained(function) else {}
    with torch.random.fork_rng(devices=[]):
        inference.manual_seed(seed)
        try:
            net = function(n_classes, **options)
        except SlimError:
            raise
        except (Exception, SystemExit) as error:  # whatever the user's code raises, it is theirs to mend
            raise SpecRefusedError(f"{name} failed: {type(error).__name__}: {error}.") from error
        net = _watchable(net, name)
        transform = _transform(_Attributes(net, name), image_size)
        check_logits(net, name, n_classes, transform.size)  # which makes the weights of lazy layers
    return Model(name, net, n_classes, transform, label_names)


def takes_pretrained(name: str) -> bool:
    """Whether a function can be asked for pretrained weights; else the network has those that it gives anyway.

    Raises:
        SpecRefusedError: as ``build_custom``, of the function.
    """
    return _takes_pretrained(_function_of(name))


def _takes_pretrained(function: Callable[..., Any]) -> bool:
    return "pretrained" in inspect.signature(function).parameters


def _watchable(returned: object, name: str) -> nn.Module:
    """The network, as its layers can be watched."""
    if not isinstance(returned, nn.Module):
        raise SpecRefusedError(f"{name} returned a {type(returned).__name__}: it must return a torch.nn.Module.")
    net = getattr(returned, "_orig_mod", returned)  # of torch.compile, whose layers call no hooks
    if any(isinstance(module, torch.jit.ScriptModule) for module in net.modules()):
        raise SpecRefusedError(
            f"{name} returned a TorchScript network, whose layers cannot be watched: return the torch.nn.Module that "
            f"it was made from."
        )
    net.register_forward_hook(_logits_alone)
    return net


def _logits_alone(_net: nn.Module, _inputs: object, output: Any) -> Any:
    """Of a model of Hugging Face, which gives them with what else it has."""
    return getattr(output, "logits", output)


def _function_of(name: str) -> Callable[..., Any]:
    module_name, _, attribute = name.partition(":")
    try:
        require_allowed_module(name)
    except ValueError as error:
        raise SpecRefusedError(f"The model {name} cannot be used: {error}.") from error
    try:
        importlib.invalidate_caches()  # a folder of PYTHONPATH that a long-lived worker began without is there by now
        module = importlib.import_module(module_name)
    except SystemExit as error:  # a script that reads the arguments of its own program ends this one
        raise SpecRefusedError(
            f"The module {module_name} of the model {name} ends the program while it is imported (SystemExit: {error}):"
            f' put what it does as a script behind `if __name__ == "__main__":`.'
        ) from error
    except Exception as error:  # a module may raise anything while it is imported
        raise SpecRefusedError(
            f"The module {module_name} of the model {name} does not import ({type(error).__name__}: {error}): "
            f"{_to_import(module_name, error)}."
        ) from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise SpecRefusedError(
            f"The module {module_name} has no function {attribute}: name one as package.module:function."
        )
    return function  # type: ignore[no-any-return]


def _to_import(module_name: str, error: Exception) -> str:
    """What makes a module import: it may be missing itself, or lack another, or be broken."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return "mend it"
    if f"{module_name}.".startswith(f"{error.name}."):
        return "install it where the workers run, or add its folder to PYTHONPATH there"
    return f"it was found, but needs {error.name}: install {error.name} where the workers run"


@dataclass(frozen=True)
class _Attributes:
    """What a module says of its images."""

    net: nn.Module
    called: str

    def read(self, name: str, default: object, as_form: Callable[[Any], Form], form: str) -> Form:
        """An attribute, or the default where there is none.

        Raises:
            SpecRefusedError: it is something else, such as a buffer (1, 3, 1, 1) that the network normalises by.
        """
        given = getattr(self.net, name, default)
        try:
            return as_form(given)
        except (TypeError, ValueError, RuntimeError) as error:
            raise SpecRefusedError(
                f"The attribute {name} of the network of {self.called} is {' '.join(quoted(given).split())}, but "
                f"images are prepared by it: make it {form}, or give it another name."
            ) from error


def _transform(of_images: _Attributes, image_size: int | None) -> ImageTransform:
    return ImageTransform(
        size=image_size or of_images.read("image_size", IMAGENET_SIZE, int, "a number of pixels"),
        resize_ratio=of_images.read("resize_ratio", 8 / 7, float, "a number"),
        mean=of_images.read("mean", IMAGENET_MEAN, _triple, "three numbers"),
        std=of_images.read("std", IMAGENET_STD, _above_zero, "three numbers above 0"),
    )


def _triple(given: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in given)
    return red, green, blue


def _above_zero(given: Any) -> tuple[float, float, float]:
    """Images are divided by it."""
    if min(found := _triple(given)) <= 0:
        raise ValueError("not above 0")
    return found


def require_logits(model: Model) -> None:
    """Refuse a network that gives probabilities, of which loss and confidence would take the softmax once more.

    Raises:
        SpecRefusedError: its outputs are probabilities.
    """
    outputs = outputs_of_noise(model.net, model.transform.size)
    if (outputs >= 0).all() and torch.allclose(outputs.sum(1), torch.ones(N_IMAGES), atol=0.01):
        raise SpecRefusedError(
            f"{model.name} gives probabilities (no output is below 0, and their sum is 1), and the loss would take "
            f"their softmax once more: make it give the logits before its softmax."
        )
