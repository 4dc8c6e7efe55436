"""Files of weights: with code in them, cut, too large, of another network; registered as models, or trained from."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from hypothesis import strategies as st
from safetensors.torch import save_file

from benchmarks.hostile.case import Case, Outcome
from benchmarks.hostile.clients import slim
from benchmarks.hostile.drawn import drawn
from benchmarks.hostile.studio import Studio
from slim_core.models.build import build

DRAWN = 16
Write = Callable[[Studio, Path], object]


class Code:
    """Unpickled, it reads what lies outside and writes beside itself."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        return os.system, (self.command,)


def cases(studio: Studio, seed: int) -> list[Case]:  # noqa: ARG001  # as every kind
    """Every file is refused when it is named, and no run is left."""
    made = [Case(name, _registering(name, write)) for name, write in WRITES.items()]
    made += [
        Case(
            f"named {name[:40]!r}",
            lambda studio, name=name: _register(studio, name.replace("OUTSIDE", str(studio.canaries.folder))),
        )
        for name in (
            "missing.pt",
            "OUTSIDE/secret.txt",
            "/etc/shadow",
            "/dev/zero",
            "/proc/self/mem",
            "",
            ".",
            "n" * 5_000,
            "a.exe",
            "../outside/secret.txt",
            "http://127.0.0.1:1/x.pt",
            "s3://bucket/x.pt",
        )
    ]
    noise = drawn(st.binary(min_size=1, max_size=400), DRAWN, of_seed=seed)
    for i, content in enumerate(noise):
        suffix = (".pt", ".safetensors", ".pth")[i % 3]
        made.append(Case(f"drawn {i}{suffix}", _registering(f"drawn-{i}{suffix}", _bytes(content)), drawn=True))
    return made


def _register(studio: Studio, file: object) -> Outcome:
    return slim(studio, "register-model", file, "--model", "small-resnet", "--data", studio.results.dataset)


def _registering(name: str, write: Write) -> Callable[[Studio], Outcome]:
    def send(studio: Studio) -> Outcome:
        path = studio.inside / name.replace(" ", "-")
        write(studio, path)
        return _register(studio, path)

    return send


def _weights(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    return {name: tensor.contiguous() for name, tensor in (build("small-resnet", 2).net.state_dict() | changed).items()}


def _bytes(content: bytes) -> Write:
    return lambda _, path: path.write_bytes(content)


def _command(studio: Studio) -> str:
    return f"cp {studio.canaries.text} {studio.settings.home}/got-out"


def _pickled(protocol: int) -> Write:
    return lambda studio, path: path.write_bytes(pickle.dumps(Code(_command(studio)), protocol))


def _cut(n: int) -> Write:
    def write(_: Studio, path: Path) -> None:
        torch.save(_weights(), path) if path.suffix == ".pt" else save_file(_weights(), path)
        path.write_bytes(path.read_bytes()[:n])

    return write


def _zip_bomb(_: Studio, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("archive/data/0", bytes(400_000_000))


def _climbing_zip(_: Studio, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../../got-out", b"x")


def _header(claims: dict[str, object], length: int | None = None) -> bytes:
    text = json.dumps(claims).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


def _changed(make: Callable[[torch.Tensor], torch.Tensor]) -> Write:
    return lambda _, path: torch.save(_weights() | {"fc.weight": make(_weights()["fc.weight"])}, path)


WRITES: dict[str, Write] = {
    "pickle 0.pt": _pickled(0),
    "pickle 2.pt": _pickled(2),
    "pickle 4.pth": _pickled(4),
    "saved code.pt": lambda studio, path: torch.save({"fc.weight": Code(_command(studio))}, path),
    "saved code, old form.pt": lambda studio, path: torch.save(
        Code(_command(studio)), path, _use_new_zipfile_serialization=False
    ),
    "global.pt": lambda studio, path: path.write_bytes(b"cos\nsystem\n(S'%s'\ntR." % _command(studio).encode()),
    "inst.pt": lambda studio, path: path.write_bytes(b"(S'%s'\nios\nsystem\n." % _command(studio).encode()),
    "a module.pt": lambda _, path: torch.save(torch.nn.Linear(2, 2), path),
    "empty.pt": _bytes(b""),
    "empty.safetensors": _bytes(b""),
    "cut.pt": _cut(500),
    "cut.safetensors": _cut(500),
    "header of 4 TB.safetensors": _bytes(_header({}, 4 * 2**40)),
    "tensor of 4 TB.safetensors": _bytes(
        _header({"fc.weight": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    ),
    "negative offsets.safetensors": _bytes(
        _header({"fc.weight": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}})
    ),
    "header of lists.safetensors": _bytes(struct.pack("<Q", 100_000) + b"[" * 100_000),
    "zip bomb.pt": _zip_bomb,
    "climbing zip.pt": _climbing_zip,
    "list.pt": lambda _, path: torch.save([1, 2], path),
    "numbers.pt": lambda _, path: torch.save({"fc.weight": 5}, path),
    "no weights.pt": lambda _, path: torch.save({}, path),
    "foreign.pt": lambda _, path: torch.save({"a.b": torch.zeros(3)}, path),
    "classes.safetensors": lambda _, path: save_file(
        {name: t.contiguous() for name, t in build("small-resnet", 7).net.state_dict().items()}, path
    ),
    "nan.pt": _changed(lambda weight: torch.full_like(weight, torch.nan)),
    "inf.pt": _changed(lambda weight: torch.full_like(weight, torch.inf)),
    "complex.pt": _changed(lambda weight: weight.to(torch.complex64)),
    "sparse.pt": _changed(lambda weight: weight.to_sparse()),
    "meta.pt": _changed(lambda weight: weight.to("meta")),
    "text.pth": _bytes(b"path,split,label\n"),
    "folder.pt": lambda _, path: path.mkdir(),
    "loop.pt": lambda _, path: path.symlink_to(path.name),
    "pipe.pt": lambda _, path: os.mkfifo(path),
    "outside.pt": lambda studio, path: path.symlink_to(studio.canaries.text),
    "zero.pt": lambda _, path: path.symlink_to("/dev/zero"),
}
