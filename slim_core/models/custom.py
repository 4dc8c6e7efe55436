"""A network of the user's own, by the name of a function: ``package.module:function``.

The function is called with the number of classes and returns a torch ``nn.Module`` that takes images (N, 3, size, size)
and gives logits (N, C). Where it has the parameter ``pretrained``, that is False when a saved model is opened: its own
weights follow. What it needs of its images may be attributes of the module: ``image_size`` (pixels), ``resize_ratio``,
``mean`` and ``std``; else they are ImageNet's.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from slim_core.data.images.transform import IMAGENET_MEAN, IMAGENET_STD, ImageTransform
from slim_core.errors import SlimError, SpecRefusedError, quoted
from slim_core.models import eager
from slim_core.models.model import N_IMAGES, Model, outputs_of_noise
from slim_core.models.names import require_allowed_module
from slim_core.models.target_layer import evaluating

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
    function = _function(name)
    options = {"pretrained": pretrained} if _takes_pretrained(function) else {}
    with torch.random.fork_rng(devices=[]):
        eager.manual_seed(seed)
        try:
            net = function(n_classes, **options)
        except SlimError:
            raise
        except (Exception, SystemExit) as error:  # whatever the user's code raises, it is theirs to mend
            raise SpecRefusedError(f"{name} failed: {type(error).__name__}: {error}.") from error
        net = _module(net, name)
        transform = _transform(_Attributes(net, name), image_size)
        check_logits(net, name, n_classes, transform.size)  # which makes the weights of lazy layers
    return Model(name, net, n_classes, transform, label_names)


def takes_pretrained(name: str) -> bool:
    """Whether a function can be asked for pretrained weights; else the network has those that it gives anyway.

    Raises:
        SpecRefusedError: as ``build_custom``, of the function.
    """
    return _takes_pretrained(_function(name))


def _takes_pretrained(function: Callable[..., Any]) -> bool:
    return "pretrained" in inspect.signature(function).parameters


def _module(returned: object, name: str) -> nn.Module:
    """The network, as its layers can be watched."""
    if not isinstance(returned, nn.Module):
        raise SpecRefusedError(f"{name} returned a {type(returned).__name__}: it must return a torch.nn.Module.")
    net = getattr(returned, "_orig_mod", returned)  # of torch.compile, whose layers call no hooks
    if any(isinstance(module, torch.jit.ScriptModule) for module in net.modules()):
        raise SpecRefusedError(
            f"{name} returned a TorchScript network, whose layers cannot be watched: return the torch.nn.Module that "
            f"it was made from."
        )
    return net


def _function(name: str) -> Callable[..., Any]:
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
