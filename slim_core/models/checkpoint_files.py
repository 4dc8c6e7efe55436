"""Checkpoint files from outside, without torch and without running what they hold: a submit refuses them at once."""

from __future__ import annotations

import pickle
import pickletools
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from safetensors import SafetensorError, safe_open

from slim_core.data.files.fingerprint import sha256_of
from slim_core.data.files.stand_ins import stand_in_refusal
from slim_core.errors import CheckpointRefusedError
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
_MOST_PICKLES = 5  # in a file of the old format: magic number, protocol, system, content, names of the storages
_NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1")  # instructions that push a whole number
# MemoryError: of a damaged length, that of a text in the instructions, which are short.
BROKEN = (ValueError, IndexError, EOFError, OSError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile)


def check_checkpoint_file(path: Path) -> None:
    """Refuse a file that no training can start from, as far as its outside says so.

    Raises:
        CheckpointRefusedError: it is missing, empty, cut, of no known format, or holds more than plain tensors.
    """
    if not path.is_file():
        raise CheckpointRefusedError(f"There is no checkpoint {path}: check the path.")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy"):
                return
        for name in names_called(path):
            if not PLAIN.fullmatch(name):
                raise CheckpointRefusedError(runs_code(path, name))
        if any(opcode.proto > _PROTOCOL for opcode, _ in _steps(path)):
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
        with _instructions(path) as file:
            return set(_tuples_of(file))
    except (*BROKEN, SafetensorError):
        return set()


def _tuples_of(file: IO[bytes]) -> Iterator[int]:
    """The first number of each tuple of one or two numbers, over all pickles of a file."""
    while file.read(len(pickle.PROTO)) == pickle.PROTO:
        file.seek(-len(pickle.PROTO), 1)
        numbers: list[int] = []  # that were pushed last
        for opcode, argument, _ in pickletools.genops(file):
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


def names_called(path: Path) -> Iterator[str]:
    """The classes and functions a torch file names, "module.name", read from its instructions without running them.

    Raises:
        what is in BROKEN: it is no such file, or not from here on.
    """
    strings: list[str] = []  # STACK_GLOBAL takes module and name from the two strings pushed last
    for opcode, argument in _steps(path):
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif opcode.name == "STACK_GLOBAL":
            yield ".".join(strings[-2:])
        elif opcode.name in ("EXT1", "EXT2", "EXT4"):
            yield "copyreg.extension"
        elif isinstance(argument, str):
            strings.append(argument)


def _steps(path: Path) -> Iterator[tuple[pickletools.OpcodeInfo, object]]:
    """(instruction, argument) of all pickles of a torch file, one behind the other."""
    with _instructions(path) as file:
        for n in range(_MOST_PICKLES):
            ahead = file.read(len(pickle.PROTO))
            file.seek(-len(ahead), 1)
            if n and ahead != pickle.PROTO:
                return
            for opcode, argument, _ in pickletools.genops(file):
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
