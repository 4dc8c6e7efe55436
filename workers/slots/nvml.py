"""What the NVIDIA driver says of its GPUs through NVML, in milliseconds; needs the optional package nvidia-ml-py."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

_MIB = 2**20


def read() -> list[dict[str, Any]] | None:
    """One dict a GPU: index, uuid, name, memory_mb, memory_used_mb, load_percent, temperature_c; None: no NVML here.

    A value is None where the card does not measure it (MIG slices have no load of their own).
    """
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:  # a machine without a driver
        return None
    try:
        return [_one(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError:  # a card that has fallen off the bus: nvidia-smi may still list the others
        return None
    finally:
        nvml.nvmlShutdown()


def _one(nvml: Any, index: int) -> dict[str, Any]:
    card = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = _asked(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(card))
    load = _asked(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(card))
    return {
        "index": index,
        "uuid": _text(nvml.nvmlDeviceGetUUID(card)),
        "name": _text(nvml.nvmlDeviceGetName(card)),
        "memory_mb": memory and int(memory.total) // _MIB,
        "memory_used_mb": memory and int(memory.used) // _MIB,
        "load_percent": load and int(load.gpu),
        "temperature_c": _asked(nvml, lambda: int(nvml.nvmlDeviceGetTemperature(card, nvml.NVML_TEMPERATURE_GPU))),
    }


def _asked(nvml: Any, question: Callable[[], Any]) -> Any:
    try:
        return question()
    except nvml.NVMLError:
        return None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value  # old releases of the package give bytes
