"""Foreign weights: read as plain tensors only, in each layout the field uses, and refused with a reason otherwise."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from slim_core.errors import CheckpointRefusedError
from slim_core.models.checkpoint_files import BROKEN, PLAIN, names_called, runs_code, unreadable

log = logging.getLogger(__name__)

State = dict[str, Tensor]
# Of training scripts; of Lightning and PyTorch's ImageNet example; of torchvision's and timm's; of WILDS and SLIM's.
_WRAPPED = ("model_state_dict", "state_dict", "model", "algorithm")
_PREFIXES = ("module.", "model.", "net.", "_orig_mod.")  # of DataParallel, what holds its network, torch.compile
_N_NAMED = 3  # mismatches named in a message


def read_tensors(path: Path) -> object:
    """What a .safetensors or a torch file holds; a torch file is opened with weights_only.

    Raises:
        CheckpointRefusedError: missing, broken, or with code inside.
    """
    if not path.is_file():
        raise CheckpointRefusedError(f"There is no checkpoint {path}: check the path.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():  # a newer pickle protocol is only worth a sentence if it cannot be read
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            warnings.filterwarnings("ignore", "Validating sparse tensor", UserWarning)  # as it should
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of damaged instructions torch's unpickler raises whatever they lead it to
        raise CheckpointRefusedError(_refusal(path)) from error


def write_tensors(state: State, path: Path) -> None:
    """Write a .safetensors file.

    Raises:
        OSError: as for any other file; the library's own writer would raise something else where the disk is full.
    """
    path.write_bytes(save(state))


def _refusal(path: Path) -> str:
    """Why torch takes no tensors from a file."""
    try:
        for name in names_called(path):
            if not PLAIN.fullmatch(name):
                return runs_code(path, name)
    except BROKEN:
        log.debug("%s is not a pickle from here on", path)
    return unreadable(path)


def state_of(content: object, path: Path) -> State:
    """The state dict inside one of the layouts: bare, or under a key such as {"algorithm": {"model.x": ...}}.

    Raises:
        CheckpointRefusedError: none of the layouts.
    """
    for key in _WRAPPED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if isinstance(content, Mapping):
        state = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
        if state:
            return state
    raise CheckpointRefusedError(
        f"{path} holds no state dict: expected named tensors, alone or under one of {', '.join(map(repr, _WRAPPED))}."
    )


def _bare(state: State, wanted: set[str]) -> State:
    """The names without a wrapper's prefix, the tensors that no layer of ours is named for left as they are."""
    for _ in range(len(_PREFIXES)):
        for prefix in _PREFIXES:
            inside = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            if inside and not wanted & state.keys():
                state = inside
    return state


def misfits(state: State, net: nn.Module) -> list[str]:
    """What keeps a state dict from fitting, one phrase a tensor; empty where it fits."""
    wanted = net.state_dict()
    found: list[str] = []
    for name, tensor in wanted.items():
        if name not in state:
            if not name.endswith("num_batches_tracked"):  # older files lack this counter; nothing reads it
                found.append(f"{name} is missing")
        elif state[name].shape != tensor.shape:
            found.append(f"{name} has shape {tuple(state[name].shape)} instead of {tuple(tensor.shape)}")
    return found + [f"{name} belongs to no layer" for name in state if name not in wanted]


def load_weights(
    net: nn.Module, path: Path | str, name: str, *, n_classes: int | None = None, new_head: bool = False
) -> None:
    """Fill a network from a checkpoint file; the network is unchanged where this raises.

    Args:
        net: the network.
        path: of the file.
        name: what a refusal calls the network.
        n_classes: C of its head; a checkpoint that differs in nothing else is refused with both numbers.
        new_head: keep the head as it is where the checkpoint was trained on another number of classes.

    Raises:
        CheckpointRefusedError: unreadable, code inside, or the first tensors that do not fit.
    """
    path = Path(path)
    state = _bare(state_of(read_tensors(path), path), set(net.state_dict()))
    found = misfits(state, net)
    others = _n_classes_in(state, net, n_classes) if found and n_classes is not None else None
    if others is not None and new_head:
        log.info("%s was trained on %d classes: the head for %d keeps its initial weights", path, others, n_classes)
        state = _fitting(state, net)
    elif others is not None:
        raise CheckpointRefusedError(
            f"{path} was trained on {others} classes, but {name} is needed for {n_classes}: take the data set it was "
            f"trained on, or a checkpoint of {n_classes} classes."
        )
    elif not net.state_dict().keys() & state.keys():
        raise CheckpointRefusedError(
            f"{path} does not fit {name}: it has {_named(state)}, and {name} has {_named(net.state_dict())}. Choose "
            f"the architecture it was trained with, or save the tensors of that network alone, without what holds it: "
            f"torch.save(network.state_dict(), ...)."
        )
    elif found:
        more = f" and {len(found) - _N_NAMED} more" if len(found) > _N_NAMED else ""
        raise CheckpointRefusedError(
            f"{path} does not fit {name}: {'; '.join(found[:_N_NAMED])}{more}. "
            f"Choose the architecture and number of classes it was trained with."
        )
    _require_real_numbers({key: state[key] for key in net.state_dict() if key in state}, path)
    net.load_state_dict(state, strict=False)


def _named(state: State) -> str:
    names = [*state]
    return ", ".join(names[:_N_NAMED]) + (f" and {len(names) - _N_NAMED} more" if len(names) > _N_NAMED else "")


def _require_real_numbers(state: State, path: Path) -> None:
    for key, tensor in state.items():
        if tensor.is_meta:
            raise CheckpointRefusedError(f"{path} cannot be used: {key} has no values (meta); save it with them.")
        if tensor.layout != torch.strided or tensor.is_complex():
            kind = "complex" if tensor.is_complex() else "sparse"
            raise CheckpointRefusedError(f"{path} cannot be used: {key} is {kind}; save it as plain real numbers.")
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise CheckpointRefusedError(
                f"{path} cannot be used: {key} holds NaN or infinite numbers; give an earlier checkpoint without them."
            )


def _fitting(state: State, net: nn.Module) -> State:
    """The tensors that have the shape of the network's own."""
    wanted = net.state_dict()
    return {name: tensor for name, tensor in state.items() if name in wanted and tensor.shape == wanted[name].shape}


def _n_classes_in(state: State, net: nn.Module, n_classes: int) -> int | None:
    """How many classes a checkpoint is for that fits but for the outputs of its head; None where more differs."""
    wanted = net.state_dict()
    unlike = [name for name in wanted.keys() & state.keys() if state[name].shape != wanted[name].shape]
    rest = {name: wanted[name] for name in unlike}
    if not unlike or misfits(state | rest, net):  # tensors are missing, or belong to no layer
        return None
    pairs = [(state[name], wanted[name]) for name in unlike]
    if not all(ours.dim() and len(ours) == n_classes and theirs.shape[1:] == ours.shape[1:] for theirs, ours in pairs):
        return None
    found = {len(theirs) for theirs, _ in pairs}
    return found.pop() if len(found) == 1 else None
