"""The precision of the steps: which layers compute in 16 bits, and what keeps small gradients from becoming zero."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from slim_core.training.config import Precision

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """16 bits for the layers that bear it; "auto": bfloat16 on GPUs, and on CPUs plain float32."""
    if precision == "auto":
        precision = "bfloat16" if device.type == "cuda" else "float32"
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[precision])


def gradient_scaler(precision: Precision, device: torch.device) -> torch.amp.GradScaler:
    """Scales the loss while float16 is computed in, and leaves out steps whose gradients are too large for it."""
    return torch.amp.GradScaler(device.type, enabled=precision == "float16")
