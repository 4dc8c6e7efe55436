"""A checkpoint that somebody has: of which network it is, for how many classes, and its outputs in the data's order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from slim_core.errors import CheckpointRefusedError, SlimError
from slim_core.models.build import build
from slim_core.models.checkpoints import (
    State,
    bare_state,
    load_weights,
    n_outputs,
    read_tensors,
    state_of,
    write_tensors,
)
from slim_core.models.names import SMALL_RESNET, TIMM, is_custom, timm_models

_N = 2  # classes of a network that is made to look at its layers


def recognised(path: Path, name: str | None, image_size: int | None) -> tuple[str, State, int]:
    """The network of a file, its tensors by the names of its layers, and for how many classes they are.

    Args:
        path: of the checkpoint.
        name: the network; None: the first that the tensors fit, of those that the file names and all of torchvision.
        image_size: side of its images in pixels, where it is not its own.

    Raises:
        CheckpointRefusedError: unreadable, code inside, or it fits no such network.
        SpecRefusedError: there is no network of this name.
    """
    content = read_tensors(path)
    state = state_of(content, path)
    for candidate in [name] if name else _candidates(path, content):
        net = _made(candidate, image_size, is_certain=name is not None)
        tensors = bare_state(state, set(net.state_dict())) if net else {}
        if net and (n := n_outputs(tensors, net, _N)):
            return candidate, tensors, n
    if name:
        load_weights(build(name, _N, weights="none", image_size=image_size).net, path, name)  # which says what is wrong
    raise CheckpointRefusedError(
        f"{path} does not say of which network it is: name it, --arch resnet50, --arch timm:vit_tiny_patch16_224 or, "
        f"for a function of your own, --arch package.module:function."
    )


def _candidates(path: Path, content: object) -> Iterator[str]:
    """Names of networks, those that the file speaks of first."""
    from slim_core.models.published import names

    said = content.get("arch") if isinstance(content, dict) else None
    if isinstance(said, str):
        yield from (said, f"{TIMM}{said}")
    named = path.stem.lower().replace("-", "_")
    yield from sorted([SMALL_RESNET, *names()], key=lambda one: one.replace("-", "_") not in named)
    yield from (f"{TIMM}{one}" for one in sorted(timm_models(), key=len, reverse=True) if one in named)


def _made(name: str, image_size: int | None, *, is_certain: bool) -> nn.Module | None:
    """A network of ``_N`` classes, without values where that can be; None where it cannot be made so.

    Raises:
        SpecRefusedError: a network that was named cannot be made at all.
    """
    if is_certain:
        return build(name, _N, weights="none", image_size=image_size).net
    try:
        with torch.device("meta"):
            return build(name, _N, weights="none", image_size=image_size).net
    except (SlimError, NotImplementedError):  # the RegNets need values: --arch names them
        return None


def in_order(state: State, name: str, given: Sequence[str], wanted: Sequence[str], image_size: int | None) -> State:
    """The tensors with the outputs ``wanted`` alone, in their order; ``given``: what the outputs are called now.

    The head's are those whose length goes with the number of classes.
    """
    nets = [build(name, n, weights="none", image_size=image_size).net.state_dict() for n in (_N, _N + 1)]
    at = torch.tensor([given.index(one) for one in wanted])
    return {key: each[at] if nets[0][key].shape != nets[1][key].shape else each for key, each in state.items()}


def given_by(name: str, n_classes: int, image_size: int | None) -> State:
    """The tensors of the network that a function of one's own returns.

    Raises:
        SpecRefusedError: as ``build_custom``.
    """
    assert is_custom(name)
    return build(name, n_classes, image_size=image_size).net.state_dict()


def keep(state: State, folder: Path, stem: str) -> Path:
    """Write tensors as a file that is called after its content; what is there already stays."""
    digest, tensors = hashlib.sha256(), {key: each.detach().contiguous().clone() for key, each in state.items()}
    for key, tensor in sorted(tensors.items()):
        digest.update(key.encode())
        digest.update(tensor.view(-1).view(torch.uint8).numpy().data)
    path = folder / f"{stem}-{digest.hexdigest()[:12]}.safetensors"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(tensors, path)
    return path
