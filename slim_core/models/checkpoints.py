"""Checkpoint files from outside: read as plain tensors only, in each layout the field uses, and refused with a reason.

What a file holds is looked at without torch and without running it, so that a submit refuses it at once; torch is
loaded where tensors are read.
"""

from __future__ import annotations

import itertools
import logging
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from slim_core.data.images.codec import stand_in_refusal
from slim_core.errors import CheckpointRefusedError
from slim_core.result_files import sha256_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from slim_core.settings import Settings

# What torch.load(weights_only=True) calls, as far as checkpoints name it. It calls nothing of numpy, no layer, and no
# function that a network is made of: a test holds that it calls all of these.
PLAIN = re.compile(
    r"torch\.(cuda\.)?(BFloat16|Bool|Byte|Char|Complex(Double|Float)|Double|Float|Half|Int|Long|Short)Storage"
    r"|torch\.(storage\.(Typed|Untyped)|QInt(8|32)|QUInt(8|2x4|4x2))Storage"
    r"|torch\.(bool|bfloat16|(float|complex|bits)\d\w*|u?int(8|16|32|64)|qu?int(8|32|2x4|4x2))"
    r"|torch\.per_(tensor|channel)_(affine|symmetric)"
    r"|torch\.(Tensor|Size|device|nn\.parameter\.Parameter|_tensor\._rebuild_from_type_v2|serialization\._get_layout)"
    r"|torch\._utils\._rebuild_(tensor(_v[23])?|parameter(_with_state)?|(q|sparse_)tensor"
    r"|meta_tensor_no_storage|wrapper_subclass|device_tensor_from_(numpy|cpu_tensor))"
    r"|collections\.(OrderedDict|Counter)|_codecs\.encode|(builtins|__builtin__)\.(set|bytearray|complex)"
)
_PROTOCOL = 2  # of pickle: torch.save writes it, and torch.load(weights_only=True) knows no later instruction
_LARGEST_PICKLE = 64 * 2**20  # bytes of the instructions in a torch file; the tensors lie beside them
_MOST_STEPS = 1_000_000  # of a file, read in some 2 s; torchvision's efficientnet_v2_l and its optimizer take 143,513
_MOST_PICKLES = 5  # in a file of the old format: magic number, protocol, system, content, names of the storages
_NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1")  # instructions that push a whole number
# MemoryError: of a damaged length, that of a text in the instructions, which are short.
BROKEN = (ValueError, IndexError, EOFError, OSError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile)


def check_checkpoint_file(path: Path) -> None:
    """Refuse a file that no training can start from, as far as its outside says so.

    Raises:
        CheckpointRefusedError: it is missing, empty, cut, of no known format, or holds more than plain tensors, or more
            instructions than any network needs.
    """
    if not path.is_file():
        raise CheckpointRefusedError(f"There is no checkpoint {path}: check the path.")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy"):
                return
        newest = 0
        for protocol, name in _protocols_and_names(path):
            if name and not PLAIN.fullmatch(name):
                raise CheckpointRefusedError(runs_code(path, name))
            newest = max(newest, protocol)
        if newest > _PROTOCOL:
            raise CheckpointRefusedError(unreadable(path))
    except (*BROKEN, SafetensorError) as error:
        raise CheckpointRefusedError(unreadable(path)) from error


def registration(file: Path | str, settings: Settings) -> dict[str, str]:
    """Fields of the TrainSpec that takes the file as a model: its path, and its checksum by which a change is noticed.

    Raises:
        PathRefusedError: it lies outside the allowed folders.
        CheckpointRefusedError: it is missing, or no file of plain tensors.
    """
    path = settings.allowed(file)
    check_checkpoint_file(path)
    return {"mode": "registered", "checkpoint": str(path), "checkpoint_sha256": sha256_of(path)}


def check_unchanged(path: Path, checksum: str, *, is_trained: bool) -> None:
    """Refuse a file that is not the one that was registered, or that a training was to start from.

    Raises:
        CheckpointRefusedError: its content was changed.
    """
    if path.is_file() and sha256_of(path) != checksum:
        since = "the training was submitted: submit a new one" if is_trained else "it was registered: register it again"
        raise CheckpointRefusedError(f"{path} was changed since {since}.")


def check_outputs(path: Path, n_classes: int) -> None:
    """Refuse a file none of whose layers has an output for each class; what else does not fit is seen with the network.

    Raises:
        CheckpointRefusedError: it is one of another number of classes.
    """
    found = lengths_in(path)
    if found and n_classes not in found:
        raise CheckpointRefusedError(
            f"{path} has no layer with {n_classes} outputs, and the data set has {n_classes} classes: choose the data "
            f"set that the model was trained on, or a checkpoint of {n_classes} classes."
        )


def lengths_in(path: Path) -> set[int]:
    """How long the vectors, and how high the matrices, of a checkpoint are: its biases and weights; none where unread.

    Of a torch file also the strides are among them, for its instructions do not say which is which.
    """
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy") as file:
                shapes = [file.get_slice(name).get_shape() for name in file.keys()]
            return {shape[0] for shape in shapes if len(shape) in (1, 2)}
        return set(_tuples_of(path))
    except (*BROKEN, SafetensorError):
        return set()


def _tuples_of(path: Path) -> Iterator[int]:
    """The first number of each tuple of one or two numbers, over all pickles of a file."""
    numbers: list[int] = []  # that were pushed last
    for opcode, argument in _steps(path):
        n = {"TUPLE1": 1, "TUPLE2": 2}.get(opcode.name, 0)
        if n and len(numbers) >= n:
            yield numbers[-n]
        numbers = [*numbers[-1:], argument] if isinstance(argument, int) and opcode.name in _NUMBERS else []


def unreadable(path: Path) -> str:
    """What to do about a file of no known format."""
    plain = f"{path} is not a readable checkpoint: give a .safetensors, .pt or .pth file of plain tensors."
    return stand_in_refusal(path, "a checkpoint") or plain


def runs_code(path: Path, name: str) -> str:
    """What to do about a file that names a class or function."""
    return (
        f"{path} is a pickle that would run code ({name}), so it was not opened: "
        f"save the tensors alone with torch.save(model.state_dict(), ...) or as safetensors."
    )


def _protocols_and_names(path: Path) -> Iterator[tuple[int, str]]:
    """(protocol, class or function it names as "module.name", or "") of each instruction of a torch file; none is run.

    Raises:
        what is in BROKEN: it is no such file, or not from here on.
    """
    strings: list[str] = []  # STACK_GLOBAL takes module and name from the two strings pushed last
    for opcode, argument in _steps(path):
        name = ""
        if opcode.name in ("GLOBAL", "INST"):
            name = str(argument).replace(" ", ".")
        elif opcode.name == "STACK_GLOBAL":
            name = ".".join(strings)
        elif opcode.name in ("EXT1", "EXT2", "EXT4"):
            name = "copyreg.extension"
        elif isinstance(argument, str):
            strings = [*strings[-1:], argument]
        yield opcode.proto, name


def _steps(path: Path) -> Iterator[tuple[pickletools.OpcodeInfo, object]]:
    """(instruction, argument) of all pickles of a torch file, one behind the other."""
    count = itertools.count(1)
    with _instructions(path) as file:
        for n in range(_MOST_PICKLES):
            ahead = file.read(len(pickle.PROTO))
            file.seek(-len(ahead), 1)
            if n and ahead != pickle.PROTO:
                return
            for opcode, argument, _ in pickletools.genops(file):
                if next(count) > _MOST_STEPS:
                    raise CheckpointRefusedError(
                        f"{path} holds more than {_MOST_STEPS:,} pickle instructions, which no network needs: save its "
                        f"tensors alone with torch.save(model.state_dict(), ...) or as safetensors."
                    )
                yield opcode, argument


@contextmanager
def _instructions(path: Path) -> Iterator[IO[bytes]]:
    """Those of a torch file (a zip with data.pkl in it), or of a bare pickle."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive:
        member = next((one for one in archive.infolist() if one.filename.endswith("data.pkl")), None)
        if member is None or member.file_size > _LARGEST_PICKLE:
            raise ValueError("a zip without the instructions of a torch file")
        with archive.open(member) as inside:
            yield inside


log = logging.getLogger(__name__)

State = dict[str, "Tensor"]
# Of training scripts; of Lightning and PyTorch's ImageNet example; of torchvision's and timm's; of WILDS and SLIM's.
_WRAPPED = ("model_state_dict", "state_dict", "model", "algorithm")
_PREFIXES = ("module.", "model.", "net.", "_orig_mod.")  # of DataParallel, what holds its network, torch.compile
_N_NAMED = 3  # mismatches named in a message


def read_tensors(path: Path) -> object:
    """What a .safetensors or a torch file holds; a torch file is opened with weights_only.

    Raises:
        CheckpointRefusedError: as ``check_checkpoint_file``, or broken in another way.
    """
    import torch
    from safetensors.torch import load_file

    check_checkpoint_file(path)  # first: torch would need a gigabyte for 20 MB of instructions
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():  # a newer pickle protocol is only worth a sentence if it cannot be read
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            warnings.filterwarnings("ignore", "Validating sparse tensor", UserWarning)  # as it should
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of damaged instructions torch's unpickler raises whatever they lead it to
        raise CheckpointRefusedError(unreadable(path)) from error


def write_tensors(state: State, path: Path) -> None:
    """Write a .safetensors file.

    Raises:
        OSError: as for any other file; the library's own writer would raise something else where the disk is full.
    """
    from safetensors.torch import save

    path.write_bytes(save(state))


def state_of(content: object, path: Path) -> State:
    """The state dict inside one of the layouts: bare, or under a key such as {"algorithm": {"model.x": ...}}.

    Raises:
        CheckpointRefusedError: none of the layouts.
    """
    from torch import Tensor

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


def bare_state(state: State, wanted: set[str]) -> State:
    """Tensors by the names of a network's layers (``wanted``), without the prefix of what wrapped it."""
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
    state = bare_state(state_of(read_tensors(path), path), set(net.state_dict()))
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
    import torch

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


def n_outputs(state: State, net: nn.Module, n_classes: int) -> int | None:
    """For how many classes tensors are that fit the network but, perhaps, its head of ``n_classes``; else None."""
    return n_classes if not misfits(state, net) else _n_classes_in(state, net, n_classes)


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
