"""Which devices torch jobs get, found without importing torch: a worker's parent must stay free to fork."""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

_FIELDS = ("index", "uuid", "name", "memory.total", "memory.used", "utilization.gpu", "temperature.gpu")
_QUERY_TIMEOUT_S = 10.0
_MIB = 2**20


@dataclass(frozen=True)
class Gpu:
    """One graphics processor as the driver shows it; None where the driver does not report it."""

    index: int
    uuid: str
    name: str
    memory_mb: int | None
    memory_used_mb: int | None
    load_percent: int | None
    temperature_c: int | None


def gpus() -> list[Gpu]:
    """The NVIDIA GPUs of this machine that CUDA_VISIBLE_DEVICES (CUDA's own variable) does not hide."""
    return _visible(_query(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def _query() -> list[Gpu]:
    found = _read_nvml()
    return _ask_nvidia_smi() if found is None else [Gpu(**each) for each in found]


def _read_nvml() -> list[dict[str, Any]] | None:
    """What the driver says through NVML, in milliseconds, where the optional package nvidia-ml-py is installed.

    One dict a GPU: index, uuid, name, memory_mb, memory_used_mb, load_percent, temperature_c;
    None: no NVML here. A value is None where the card does not measure it (MIG slices have no load of their own).
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
        "uuid": _as_text(nvml.nvmlDeviceGetUUID(card)),
        "name": _as_text(nvml.nvmlDeviceGetName(card)),
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


def _as_text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value  # old releases of the package give bytes


def _ask_nvidia_smi() -> list[Gpu]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_QUERY_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("nvidia-smi does not answer (%s): working without a GPU", error)
        return []
    return parse(done.stdout)


def parse(listing: str) -> list[Gpu]:
    """GPUs from the lines ``nvidia-smi --format=csv,noheader,nounits`` prints for our fields."""
    rows = [[cell.strip() for cell in line.split(",")] for line in listing.splitlines() if line.strip()]
    return [
        Gpu(int(index), uuid, ", ".join(name), *(_number(cell) for cell in (total, used, load, temperature)))
        for index, uuid, *name, total, used, load, temperature in rows  # names are not quoted
    ]


def _number(cell: str) -> int | None:
    return int(cell) if cell.isdigit() else None  # "[N/A]" where the card does not measure it


def _visible(found: list[Gpu], variable: str | None) -> list[Gpu]:
    if variable is None:
        return found
    names = [name.strip() for name in variable.split(",") if name.strip()]
    by_name = {str(gpu.index): gpu for gpu in found} | {gpu.uuid: gpu for gpu in found}
    return [by_name[name] for name in names if name in by_name]
