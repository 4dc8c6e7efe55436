"""Make a model by name: the demo's small network, or any classifier of torchvision with a head of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from slim_core.errors import CheckpointRefusedError, SpecRefusedError, WeightsMissingError
from slim_core.images import ImageTransform
from slim_core.models.checkpoints import load_weights, read_tensors
from slim_core.models.model import ABOUT_FILE, WEIGHTS_FILE, Model
from slim_core.models.small_resnet import SMALL_RESNET, SMALL_SIZE, SmallResNet

IMAGENET, NO_WEIGHTS = "imagenet", "none"
DEFAULT_MODEL = "resnet50"
_N_IMAGENET = 1000


def list_models() -> list[str]:
    """The names ``build`` takes."""
    return [SMALL_RESNET, *torchvision.models.list_models(module=torchvision.models)]


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
        name: one of ``list_models``.
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
    if name == SMALL_RESNET:
        model = _build_small(n_classes, label_names, image_size or SMALL_SIZE, seed)
    else:
        model = _build_torchvision(name, n_classes, label_names, str(weights) == IMAGENET, image_size, seed)
    model.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast, on CPUs too
    if str(weights) not in (IMAGENET, NO_WEIGHTS):
        load_weights(model.net, Path(weights), name)
    return model


def _check(name: str, n_classes: int) -> None:
    if name not in list_models():
        raise SpecRefusedError(
            f"There is no model {name!r}: take {SMALL_RESNET}, resnet50 or another of torchvision's."
        )
    if n_classes < 2:
        raise SpecRefusedError(f"A classifier needs two classes or more, not {n_classes}: check the labels.")


def _build_small(n_classes: int, label_names: tuple[str, ...], size: int, seed: int) -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = SmallResNet(n_classes)
    return Model(SMALL_RESNET, net, n_classes, ImageTransform(size=size, resize_ratio=1.0), label_names)


def _build_torchvision(
    name: str, n_classes: int, label_names: tuple[str, ...], pretrained: bool, image_size: int | None, seed: int
) -> Model:
    published = imagenet_weights(name)
    recipe = published.transforms()
    size = image_size or recipe.crop_size[0]
    options = _size_options(name, size, recipe.crop_size[0], pretrained)
    if pretrained:
        fetch_weights(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = torchvision.models.get_model(name, weights=published if pretrained else None, **options)
        _replace_head(net, n_classes)
    transform = ImageTransform(size=size, mean=tuple(recipe.mean), std=tuple(recipe.std))
    return Model(name, net, n_classes, transform, label_names)


def imagenet_weights(name: str) -> Any:
    """The ImageNet weights of an architecture: the first published, which the field's results start from."""
    return next(iter(torchvision.models.get_model_weights(name)))


def _size_options(name: str, size: int, published_size: int, pretrained: bool) -> dict[str, Any]:
    """Arguments of the architecture's constructor."""
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": False} if pretrained else {"aux_logits": False, "init_weights": True}
    if size != published_size and name.startswith(("vit_", "maxvit")):  # their position tables have a fixed size
        if pretrained:
            raise SpecRefusedError(
                f"{name} with ImageNet weights takes images of {published_size} px, not {size}: "
                f"leave the size out, or choose a convolutional network."
            )
        return {"image_size": size} if name.startswith("vit_") else {"input_size": (size, size)}
    return {}


def weights_path(name: str) -> Path:
    """Where torch keeps the ImageNet weights of an architecture."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(imagenet_weights(name).url).name


def fetch_weights(name: str) -> Path:
    """The file of ImageNet weights, downloaded if it is not there.

    Raises:
        WeightsMissingError: it is not there and cannot be downloaded.
        CheckpointRefusedError: the file is broken, or has code inside.
    """
    url, path = imagenet_weights(name).url, weights_path(name)
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            checksum = path.stem.rsplit("-", 1)[-1]
            torch.hub.download_url_to_file(url, str(path), checksum, progress=False)
        except (OSError, RuntimeError) as error:
            raise WeightsMissingError(
                f"The ImageNet weights of {name} are not here and could not be downloaded ({error}): "
                f"fetch {url} on another machine and put the file at {path}, or train with weights 'none'."
            ) from error
    read_tensors(path)  # torchvision itself would open whatever lies there, code included
    return path


def _replace_head(net: nn.Module, n_classes: int) -> None:
    """Put a new last layer in the place of the one with ImageNet's outputs."""
    for name, module in reversed(list(net.named_modules())):
        is_linear = isinstance(module, nn.Linear) and module.out_features == _N_IMAGENET
        is_conv = isinstance(module, nn.Conv2d) and module.out_channels == _N_IMAGENET
        if is_linear or is_conv:
            parent = net.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], _resized(module, n_classes))
            if isinstance(getattr(net, "num_classes", None), int):
                setattr(net, "num_classes", n_classes)  # noqa: B010  (nn.Module types its attributes as modules)
            return
    raise SpecRefusedError(f"{type(net).__name__} has no last layer of {_N_IMAGENET} outputs to replace.")


def _resized(layer: nn.Module, n_classes: int) -> nn.Module:
    if isinstance(layer, nn.Linear):
        return nn.Linear(layer.in_features, n_classes)
    assert isinstance(layer, nn.Conv2d)
    return nn.Conv2d(layer.in_channels, n_classes, kernel_size=1)


def load_model(folder: Path) -> Model:
    """The model ``save_model`` wrote.

    Raises:
        CheckpointRefusedError: the folder does not hold one.
    """
    about_path = folder / ABOUT_FILE
    if not about_path.is_file():
        raise CheckpointRefusedError(f"{folder} holds no model ({ABOUT_FILE} is missing): train one first.")
    about = json.loads(about_path.read_text())
    transform = ImageTransform.from_json(about["transform"])
    model = build(about["name"], about["n_classes"], weights=NO_WEIGHTS, image_size=transform.size)
    load_weights(model.net, folder / WEIGHTS_FILE, model.name)
    model.transform, model.label_names = transform, tuple(about["label_names"])
    return model
