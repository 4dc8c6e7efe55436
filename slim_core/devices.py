"""The device a step computes on, and what is said when its memory ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from slim_core.errors import SpecRefusedError
from slim_core.settings import settings


def open_device(name: str) -> torch.device:
    """The device called "cpu", "cuda" or "cuda:0".

    On the CPU torch is held to ``settings().threads``: its threads wait by spinning, so that one more than there are
    free cores makes all of them about ten times slower.

    Raises:
        SpecRefusedError: this machine has no such device.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SpecRefusedError(f"There is no device {name!r}: take cpu, cuda or cuda:0.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SpecRefusedError(
            f"The device {name!r} is not on this machine ({torch.cuda.device_count()} GPUs): take cpu or another index."
        )
    if device.type == "cpu":
        torch.set_num_threads(min(torch.get_num_threads(), settings().threads))
    return device


def half_precision(device: torch.device) -> AbstractContextManager[None]:
    """bfloat16 for the layers that bear it, on GPUs; nothing on CPUs, whose results stay plain float32."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def own_random_state(device: torch.device) -> Iterator[None]:
    """Seeds set inside do not leak into the caller's random state."""
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


@contextmanager
def memory_guard(batch_size: int) -> Iterator[None]:
    """Turn running out of memory into a sentence.

    Raises:
        SpecRefusedError: the batch does not fit.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise SpecRefusedError(_too_large("GPU", batch_size)) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):  # torch gives the CPU's case no class of its own
            raise
        raise SpecRefusedError(_too_large("machine", batch_size)) from error


def _too_large(where: str, batch_size: int) -> str:
    half = max(1, batch_size // 2)
    return f"The memory of the {where} does not hold batches of {batch_size} images: try a batch size of {half}."
