"""Which worker processes a machine gets: one per GPU or CPU slot for torch, and one for light jobs.

The GPUs are found without importing torch: a worker's parent must stay free to fork.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

_FIELDS = ("index", "uuid", "name", "memory.total", "memory.used", "utilization.gpu", "temperature.gpu")
_QUERY_TIMEOUT_S = 10.0


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


QUEUES = ("gpu", "cpu")  # steps that run the network, and the others


@dataclass(frozen=True)
class SlotPlan:
    """One worker process to be kept alive."""

    label: str  # "gpu0", "cpu1", "light": part of the worker's name
    queues: tuple[str, ...]
    device: str  # as torch calls it inside the slot
    shown_device: str  # as people know it: "cuda:1", "cpu"
    environment: Mapping[str, str] = field(default_factory=dict)
    gpu: Gpu | None = None


def host() -> str:
    """The name of this machine, as it is part of the names of its workers."""
    return re.sub(r"[^A-Za-z0-9.]", "-", socket.gethostname())[:40]


def plan_slots(
    queues: Sequence[str],
    cpu: int | None,
    gpus: Sequence[Gpu],
    threads: int,
    devices: int = 1,
    machines: int = 1,
) -> list[SlotPlan]:
    """The slots of this machine.

    Args:
        queues: which queues are served here, of "gpu" and "cpu".
        cpu: this many slots compute on the CPU, GPUs are left alone; None: a slot per GPU, if there is one.
        gpus: the GPUs.
        threads: which all of these together compute with, so that they do not take turns on the cores.
        devices: that a slot holds, for trainings which as many processes share; GPUs that are left over have none.
        machines: that share each such training.
    """
    plans: list[SlotPlan] = []
    if "gpu" in queues and cpu is None:
        groups = [gpus[i : i + devices] for i in range(0, len(gpus) - devices + 1, devices)]
        plans += [_gpu_slot(group, machines) for group in groups]
    if "gpu" in queues and not plans:
        plans += _cpu_slots(cpu or 1, threads, devices, machines)
    if "cpu" in queues:
        plans.append(SlotPlan("light", ("cpu",), "cpu", "cpu", {"CUDA_VISIBLE_DEVICES": ""}))
    return plans


def _gpu_slot(group: Sequence[Gpu], machines: int) -> SlotPlan:
    """``gpu``, whose load is shown, is the first one."""
    indices = [gpu.index for gpu in group]
    alone = {"CUDA_VISIBLE_DEVICES": ",".join(gpu.uuid for gpu in group)}
    label = "gpu" + "-".join(map(str, indices))
    return SlotPlan(label, ("gpu",), "cuda", _shown("cuda", indices, machines), alone, group[0])


def _cpu_slots(n: int, threads: int, devices: int, machines: int) -> list[SlotPlan]:
    chosen = {"CUDA_VISIBLE_DEVICES": "", "SLIM_THREADS": str(max(1, threads // n))}
    shown = "cpu" if devices * machines == 1 else _shown("cpu", range(devices), machines)
    return [SlotPlan(f"cpu{i}", ("gpu",), "cpu", shown, chosen) for i in range(n)]


def _shown(kind: str, indices: Sequence[int], machines: int) -> str:
    """As slim_core.store.workers.processes_on reads it."""
    return f"{kind}:{'+'.join(map(str, indices))}" + (f"*{machines}" if machines > 1 else "")
