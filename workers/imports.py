"""Which process imports what: the parent the light half, before it forks; torch only a process made for one job."""

from __future__ import annotations

import gc
import importlib
import logging
import sys
from collections.abc import Callable

from slim_core.steps.registry import STEPS
from slim_core.version import code_version

log = logging.getLogger(__name__)

_LIGHT_MODULES = ("numpy", "pandas", "pyarrow.parquet", "scipy.stats", "sklearn.cluster", "sklearn.decomposition")


def import_light_half(queues: tuple[str, ...]) -> None:
    """Import what the light steps need, once, before any fork. Never torch, which steps of the gpu queue import."""
    if "cpu" in queues:
        for module in _LIGHT_MODULES:
            importlib.import_module(module)
        _load_steps("cpu")
    code_version()
    gc.collect()
    gc.freeze()  # forked children share these pages
    if "torch" in sys.modules:
        raise RuntimeError("A light step imports torch: a worker that holds it must not fork.")


def import_torch_half(job_waits: Callable[[], bool]) -> None:
    """Import what steps of the gpu queue need, ahead of a job; no more than each of them does where one waits.

    Without the search for garbage, which would go through all of it again and again, this is an eighth faster.
    """
    gc.disable()
    try:
        _load_steps("gpu")
        if not job_waits():
            _make_an_optimizer()
    except (ImportError, OSError) as error:
        log.warning("%s", error)  # the job will meet the same, and say so
    gc.enable()
    gc.freeze()


def _load_steps(queue: str) -> None:
    for step in STEPS.values():
        if step.queue == queue:
            step.load()


def _make_an_optimizer() -> None:
    """The first one imports torch's compiler, which takes another second."""
    import torch

    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
