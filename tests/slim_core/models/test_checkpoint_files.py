"""Checkpoint files from outside: what a submit accepts is what a worker opens."""

from __future__ import annotations

import builtins
import collections
import pickle
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import _weights_only_unpickler as unpickler

from slim_core.errors import CheckpointRefusedError
from slim_core.models.checkpoints import PLAIN, check_checkpoint_file, read_tensors

STATE = {"weight": torch.zeros(2, 3), "bias": torch.nn.Parameter(torch.ones(2))}
MADE: dict[str, Callable[[], Any]] = {
    "a state dict": lambda: STATE,
    "an ordered one": lambda: OrderedDict(STATE),
    "with a seed and a loss": lambda: STATE | {"seed": 2**70, "loss": 0.5, "name": None, "shape": (1, 2, [3])},
    "with counts and sets": lambda: STATE | {"counts": Counter("aab"), "set": {1, 2}},
    "with bytes": lambda: STATE | {"bytes": b"abc", "array": bytearray(b"x"), "complex": 1j},
    "with no bytes": lambda: STATE | {"bytes": b""},
    "of other numbers": lambda: {
        str(kind): torch.zeros(2, dtype=kind)
        for kind in (torch.float16, torch.bfloat16, torch.bool, torch.cfloat, torch.int8)
    },
    "with types": lambda: STATE | {"type": torch.float16, "device": torch.device("cpu"), "size": torch.Size([2])},
    "sparse": lambda: {"weight": torch.eye(3).to_sparse()},
    "without numbers": lambda: {"weight": torch.zeros(2, device="meta")},
    "an optimizer": lambda: torch.optim.Adam([STATE["bias"]]).state_dict(),
    "with a random state": lambda: STATE | {"rng": torch.get_rng_state()},
    "with a number of numpy": lambda: STATE | {"loss": np.float64(0.5)},
    "with an array of numpy": lambda: STATE | {"losses": np.ones(2)},
    "a whole layer": lambda: torch.nn.Linear(2, 2),
    "with the class of an optimizer": lambda: STATE | {"optimizer": torch.optim.SGD},
    "with a function of torch": lambda: STATE | {"activation": torch.nn.functional.relu},
    "with a default": lambda: collections.defaultdict(list, STATE),
    "with a path": lambda: STATE | {"path": Path("x")},
}
ACCEPTED = 12  # of them, the first ones but for the empty bytes, which pickle calls a function for


def accepts(path: Path) -> bool:
    try:
        check_checkpoint_file(path)
    except CheckpointRefusedError:
        return False
    return True


def opens(path: Path) -> bool:
    try:
        torch.load(path, weights_only=True)
    except Exception:  # of damaged instructions torch's unpickler raises whatever they lead it to
        return False
    return True


@pytest.mark.filterwarnings("ignore:Detected pickle protocol", "ignore:Validating sparse tensor")
@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", MADE)
def test_a_submit_accepts_what_a_worker_opens(tmp_path: Path, name: str, zipped: bool, protocol: int) -> None:
    path = tmp_path / "model.pt"
    torch.save(MADE[name](), path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    assert accepts(path) == opens(path)
    with nullcontext() if opens(path) else pytest.raises(CheckpointRefusedError):
        read_tensors(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_was_cut_or_overwritten_anywhere_is_refused_by_a_sentence(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "model.pt"
    torch.save(STATE, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    start = whole.index(pickle.PROTO)  # of the instructions
    for place in range(start, start + 300, 2):
        before, after = whole[:place], whole[place + 1 :]
        for damaged in (before, before + b"\xff" + after, before + after):
            path.write_bytes(damaged)
            for look in (check_checkpoint_file, read_tensors):
                with suppress(CheckpointRefusedError):  # whatever else they raise is what no user can read
                    look(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_instructions_without_end_are_not_read_to_their_end(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "model.pt"
    endless = pickle.PROTO + b"\x02" + pickle.MARK * 1_000_000 + pickle.STOP
    path.write_bytes(endless)
    if zipped:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("model/data.pkl", endless)
    for look in (check_checkpoint_file, read_tensors):
        with pytest.raises(CheckpointRefusedError, match="1,000,000"):
            look(path)


def test_what_training_scripts_write_is_accepted(tmp_path: Path) -> None:
    found = []
    for name, make in MADE.items():
        torch.save(make(), tmp_path / "model.pt")
        if accepts(tmp_path / "model.pt"):
            found.append(name)
    first = [name for name in list(MADE)[:ACCEPTED] if name != "with no bytes"]
    assert found == first


def test_every_name_that_is_plain_is_one_that_torch_calls() -> None:
    modules = (torch, torch.cuda, torch.storage, torch._utils, torch._tensor, torch.serialization, torch.sparse)
    modules += (torch.nn, torch.nn.parameter, torch.nn.functional, np, builtins, collections, pickle)
    named = {f"{module.__name__}.{name}" for module in modules for name in dir(module)}
    allowed = unpickler._get_allowed_globals().keys()
    assert {name for name in named | set(allowed) if PLAIN.fullmatch(name)} <= set(allowed)
