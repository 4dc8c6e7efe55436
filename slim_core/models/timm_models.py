"""Models of timm (the extra ``timm``) with a head of our own, and the published weights they start from.

Their files are read as plain tensors (slim_core.models.checkpoints); timm then fits them to the architecture, such as
the position table of a transformer to another image size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from slim_core.data.images.transform import ImageTransform
from slim_core.errors import SpecRefusedError, WeightsMissingError, first_line
from slim_core.models import eager
from slim_core.models.checkpoints import State, read_tensors, state_of
from slim_core.models.custom import check_logits
from slim_core.models.model import Model
from slim_core.models.names import NO_TIMM, SMALL_RESNET, TIMM, timm_renamed

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
        eager.manual_seed(seed)
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


def weights_path(name: str, published: Any) -> Path:
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
    if renamed := timm_renamed().get(architecture):
        raise SpecRefusedError(f"timm has renamed {architecture!r}: take {TIMM}{renamed}.")
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
    path = _cached(published) or weights_path(name, published)
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
