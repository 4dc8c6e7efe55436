"""Which worker processes a machine gets: one per GPU or CPU slot for torch, and one for light jobs."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workers.gpu import Gpu

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
    queues: Sequence[str], cpu: int | None, found: Sequence[Gpu], cpu_workers: int, threads: int
) -> list[SlotPlan]:
    """The slots of this machine.

    Args:
        queues: which queues are served here, of "gpu" and "cpu".
        cpu: this many slots compute on the CPU, GPUs are left alone; None: a slot per GPU, if there is one.
        found: the GPUs.
        cpu_workers: how many slots compute on the CPU where there is no GPU and ``cpu`` is None.
        threads: which all of these together compute with, so that they do not take turns on the cores.
    """
    plans: list[SlotPlan] = []
    if "gpu" in queues and cpu is None:
        plans += [_gpu_slot(gpu) for gpu in found]
    if "gpu" in queues and not plans:
        plans += _cpu_slots(cpu or cpu_workers, threads)
    if "cpu" in queues:
        plans.append(SlotPlan("light", ("cpu",), "cpu", "cpu", {"CUDA_VISIBLE_DEVICES": ""}))
    return plans


def _gpu_slot(gpu: Gpu) -> SlotPlan:
    alone = {"CUDA_VISIBLE_DEVICES": gpu.uuid}
    return SlotPlan(f"gpu{gpu.index}", ("gpu",), "cuda", f"cuda:{gpu.index}", alone, gpu)


def _cpu_slots(n: int, threads: int) -> list[SlotPlan]:
    chosen = {"CUDA_VISIBLE_DEVICES": "", "SLIM_THREADS": str(max(1, threads // n))}
    return [SlotPlan(f"cpu{i}", ("gpu",), "cpu", "cpu", chosen) for i in range(n)]
