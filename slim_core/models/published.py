"""Published networks with a head of our own, and the weights they start from: those of torchvision and timm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from slim_core.data.images.codec import ImageTransform
from slim_core.errors import SpecRefusedError, WeightsMissingError, first_line
from slim_core.models import inference
from slim_core.models.checkpoints import State, read_tensors, state_of
from slim_core.models.model import Model, check_logits
from slim_core.models.names import NO_TIMM, SMALL_RESNET, TIMM

_N_IMAGENET = 1000
# They train with further heads, and take pixels of -1..1: torchvision would convert them inside where its own weights
# are loaded, and not where those of a saved model are.
_INCEPTIONS = ("googlenet", "inception_v3")


def names() -> list[str]:
    """The classifiers torchvision has."""
    return list(torchvision.models.list_models(module=torchvision.models))


def build_published(
    name: str, n_classes: int, label_names: tuple[str, ...], pretrained: bool, image_size: int | None, seed: int
) -> Model:
    """One of ``names`` with a new head; the arguments are those of ``slim_core.models.build.build``.

    Raises:
        SpecRefusedError: it takes no images of this size.
        WeightsMissingError, CheckpointRefusedError: as ``fetch_weights``.
    """
    published = imagenet_weights(name)
    recipe = published.transforms()
    size = image_size or recipe.crop_size[0]
    options = _size_options(name, size, recipe.crop_size[0], pretrained)
    if pretrained:
        fetch_weights(name)
    with torch.random.fork_rng(devices=[]):
        inference.manual_seed(seed)
        try:
            net = torchvision.models.get_model(name, weights=published if pretrained else None, **options)
        except (ValueError, AssertionError) as error:  # of sizes that its parts do not divide
            raise SpecRefusedError(
                f"{name} cannot be made for images of {size} px ({first_line(error)}): give another image size or "
                f"model."
            ) from error
        _drop_further_heads(net)
        _replace_head(net, n_classes)
    if size != recipe.crop_size[0]:
        check_logits(net, name, n_classes, size)
    mean, std = ((0.5,) * 3,) * 2 if name in _INCEPTIONS else (tuple(recipe.mean), tuple(recipe.std))
    transform = ImageTransform(size=size, mean=mean, std=std)
    return Model(name, net, n_classes, transform, label_names)


def imagenet_weights(name: str) -> Any:
    """The ImageNet weights of an architecture: the first published, which the field's results start from."""
    return next(iter(torchvision.models.get_model_weights(name)))


def _size_options(name: str, size: int, published_size: int, pretrained: bool) -> dict[str, Any]:
    """Arguments of the architecture's constructor."""
    if name in _INCEPTIONS:
        made = {} if pretrained else {"aux_logits": False, "init_weights": True}  # published weights are of all heads
        return {"transform_input": False, **made}
    if size != published_size and name.startswith(("vit_", "maxvit")):  # their position tables have a fixed size
        if pretrained:
            raise SpecRefusedError(
                f"{name} with ImageNet weights takes images of {published_size} px, not {size}: "
                f"leave the size out, or choose a convolutional network."
            )
        return {"image_size": size} if name.startswith("vit_") else {"input_size": (size, size)}
    return {}


def torchvision_weights_path(name: str) -> Path:
    """Where torch keeps the ImageNet weights of an architecture."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(imagenet_weights(name).url).name


def fetch_weights(name: str) -> Path:
    """The file of ImageNet weights, downloaded if it is not there.

    Raises:
        WeightsMissingError: it is not there and cannot be downloaded.
        CheckpointRefusedError: the file is broken, or has code inside.
    """
    url, path = imagenet_weights(name).url, torchvision_weights_path(name)
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            checksum = path.stem.rsplit("-", 1)[-1]
            torch.hub.download_url_to_file(url, str(path), checksum, progress=False)
        except (OSError, RuntimeError) as error:
            raise WeightsMissingError(
                f"The ImageNet weights of {name} are not here and could not be downloaded ({error}): "
                f"fetch {url} on another machine and put the file at {path}, or train with weights 'none', or take "
                f"{SMALL_RESNET}, which needs none."
            ) from error
    read_tensors(path)  # torchvision itself would open whatever lies there, code included
    return path


def _drop_further_heads(net: nn.Module) -> None:
    """Those of Inception v3; of GoogLeNet torchvision drops them itself."""
    if isinstance(net, torchvision.models.Inception3):
        net.aux_logits, net.AuxLogits = False, None


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


TENSORS = (".safetensors", ".bin", ".pt", ".pth")  # suffixes of what torch wrote; others are of another framework


def build_timm(
    name: str, n_classes: int, label_names: tuple[str, ...], pretrained: bool, image_size: int | None, seed: int
) -> Model:
    """One of timm's models, "timm:NAME", with a new head; the arguments are those of ``build.build``.

    Raises:
        SpecRefusedError: timm is not installed, has no such model or weights, or it takes no images of this size.
        WeightsMissingError: its weights are not here and cannot be downloaded.
    """
    timm = _timm(name)
    published = _published(timm, name)
    size = image_size or published.input_size[-1]
    options: dict[str, Any] = {"num_classes": n_classes}
    if published.fixed_input_size and size != published.input_size[-1]:
        options["img_size"] = size
    if pretrained:
        options |= {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": _weights(name, published)}}
    with torch.random.fork_rng(devices=[]):
        inference.manual_seed(seed)
        try:
            net = timm.create_model(name.removeprefix(TIMM), **options)
        except (RuntimeError, ValueError, TypeError, AssertionError, KeyError) as error:
            raise SpecRefusedError(
                f"{name} cannot be made for images of {size} px ({first_line(error)}): give another image size or "
                f"model."
            ) from error
    check_logits(net, name, n_classes, size)
    transform = ImageTransform(
        size=size, resize_ratio=1 / published.crop_pct, mean=tuple(published.mean), std=tuple(published.std)
    )
    return Model(name, net, n_classes, transform, label_names)


def timm_weights_path(name: str, published: Any) -> Path:
    """Where a file of weights is looked for that was fetched by hand."""
    tag = f".{published.tag}" if published.tag else ""
    architecture = published.architecture or name.removeprefix(TIMM).partition(".")[0]
    return Path(torch.hub.get_dir()) / "checkpoints" / f"timm-{architecture}{tag}{Path(_file(published)).suffix}"


def _timm(name: str) -> Any:
    try:
        import timm
    except ImportError as error:
        raise SpecRefusedError(f"The model {name} cannot be made: {NO_TIMM}.") from error
    return timm


def _published(timm: Any, name: str) -> Any:
    """What timm says of a model: its input, and where its weights are."""
    architecture, _, tag = name.removeprefix(TIMM).partition(".")
    if not timm.is_model(architecture) or timm.get_pretrained_cfg(architecture) is None:
        raise SpecRefusedError(f"timm has no model {architecture!r}: take one of timm.list_models().")
    known = [one.partition(".")[2] for one in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in known:
        listed = ", ".join(known) or "none"
        raise SpecRefusedError(f"timm has no weights {tag!r} of {architecture}: its tags are {listed}.")
    return timm.get_pretrained_cfg(name.removeprefix(TIMM))


def _weights(name: str, published: Any) -> State:
    """The tensors of the published weights, downloaded if they are not here.

    Raises:
        SpecRefusedError: nobody has published any.
        WeightsMissingError: they are not here and cannot be downloaded.
        CheckpointRefusedError: the file is broken, or has code inside.
    """
    if Path(_file(published)).suffix not in TENSORS:
        raise SpecRefusedError(f"There are no weights of {name} to start from: train with weights 'none'.")
    path = _cached(published) or timm_weights_path(name, published)
    if not path.is_file():
        _download(_url(published), path, name)
    return state_of(read_tensors(path), path)


def _download(url: str, path: Path, name: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), progress=False)
    except (OSError, RuntimeError) as error:
        raise WeightsMissingError(
            f"The weights of {name} are not here and could not be downloaded ({error}): fetch {url} on another machine "
            f"and put the file at {path}, or train with weights 'none', or take {SMALL_RESNET}, which needs none."
        ) from error


def _cached(published: Any) -> Path | None:
    """The file in the cache of the hub that timm uses, where it was fetched before."""
    from huggingface_hub import try_to_load_from_cache

    if not published.hf_hub_id:
        return None
    found = try_to_load_from_cache(published.hf_hub_id, _file(published))
    return Path(found) if isinstance(found, str) else None


def _url(published: Any) -> str:
    from huggingface_hub import hf_hub_url

    return hf_hub_url(published.hf_hub_id, _file(published)) if published.hf_hub_id else str(published.url)


def _file(published: Any) -> str:
    return str(published.hf_hub_filename or "model.safetensors") if published.hf_hub_id else str(published.url)
