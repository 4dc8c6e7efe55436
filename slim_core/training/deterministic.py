"""Only operations that give the same bits each time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from slim_core.errors import SpecRefusedError

_OF_CUBLAS = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it, before its first use in a process
_LACKING = "does not have a deterministic implementation"  # torch has no class of its own for this


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Torch refuses other operations meanwhile, where that is wanted.

    Raises:
        SpecRefusedError: an operation has no deterministic form on this device.
    """
    if not wanted:
        yield
        return
    before, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    os.putenv(*_OF_CUBLAS)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    except RuntimeError as error:
        if _LACKING not in str(error):
            raise
        operation = str(error).split(_LACKING)[0].strip()
        raise SpecRefusedError(
            f"{operation} has no deterministic form on this device: train without deterministic, or on the CPU."
        ) from error
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark
