"""The device a step computes on, its memory, and torch's optimizers and seed without its compiler.

Torch imports its compiler when an optimizer or the seed is first used. Nobody compiles a training here, and that import
takes as long as that of torch: every training would wait for it.
"""

from __future__ import annotations

import ctypes
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar, cast

import torch
from torch import Tensor
from torch.optim import Optimizer

from slim_core.errors import MemoryRefusedError, SpecRefusedError
from slim_core.formatting import counted
from slim_core.settings import settings

KEPT = 512 * 2**20  # bytes: blocks up to this size come from the heap, and as much stays at its end
MOST_OF_OLD = 32 * 2**20  # what the C library took before it left the limit to us (glibc 2.35)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Tell the C library so, once in this process; returns whether it took it (glibc alone does)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False  # another C library
    taken = mallopt(_MMAP_THRESHOLD, KEPT) or mallopt(_MMAP_THRESHOLD, MOST_OF_OLD)
    return bool(taken and mallopt(_TRIM_THRESHOLD, KEPT))


def open_device(name: str) -> torch.device:
    """The device called "cpu", "cuda" or "cuda:0".

    On the CPU torch is held to ``settings().threads``: its threads wait by spinning, so that one more than there are
    free cores makes all of them about ten times slower. Memory that it frees stays with this process.

    Raises:
        SpecRefusedError: this machine has no such device.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SpecRefusedError(f"There is no device {name!r}: use cpu, cuda or cuda:0.") from error
    if device.type not in ("cpu", "cuda"):
        raise SpecRefusedError(f"The device {name!r} is not supported: use cpu, cuda or cuda:0.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SpecRefusedError(
            f"The device {name!r} is not on this machine ({torch.cuda.device_count()} GPUs): use cpu or another index."
        )
    if device.type == "cpu":
        torch.set_num_threads(min(torch.get_num_threads(), settings().threads))
        keep_freed_memory()
    return device


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """The values of the CPU on the device; a GPU takes them from pinned memory, while the CPU goes on."""
    if device.type == "cuda":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


@contextmanager
def own_random_state(device: torch.device) -> Iterator[None]:
    """Seeds set inside do not leak into the caller's random state."""
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


@contextmanager
def memory_guard(batch_size: int, *, smallest: int = 1) -> Iterator[None]:
    """Turn running out of memory into a sentence that names the batch to try next, of half the size.

    The batch is never made smaller behind the user's back: the same spec must give the same numbers.

    Args:
        batch_size: what is being tried.
        smallest: batch that is worth trying.

    Raises:
        MemoryRefusedError: the batch does not fit.
    """
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        where = _whose_memory(error)
        if where is None:
            raise
        half = batch_size // 2
        said = f"Batches of {counted(batch_size, 'image')} do not fit into the memory of the {where}"
        if half < smallest:
            raise MemoryRefusedError(
                f"{said}: end other programs on it, or take a smaller image size or another device.", {}
            ) from error
        raise MemoryRefusedError(f"{said}: submit it again with batch_size {half}.", {"batch_size": half}) from error


def _whose_memory(error: RuntimeError) -> str | None:
    """Whose memory ran out; None where it is another error. Torch gives the CPU's case no class of its own."""
    if isinstance(error, torch.OutOfMemoryError):
        return "GPU"
    return "machine" if "can't allocate memory" in str(error) else None


T = TypeVar("T", bound=Optimizer)
_KEPT_FROM_THE_COMPILER = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def _without_compiler(kind: type[T]) -> type[T]:
    """The same optimizer: its methods as they are below the decorators by which the compiler leaves them alone."""
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _KEPT_FROM_THE_COMPILER}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return cast(type[T], type(kind.__name__, (kind,), {**methods, "step": step, "__module__": __name__}))


SGD = _without_compiler(torch.optim.SGD)
Adam = _without_compiler(torch.optim.Adam)
AdamW = _without_compiler(torch.optim.AdamW)
manual_seed = inspect.unwrap(torch.manual_seed)
