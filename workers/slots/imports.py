"""What a worker imports once, before it forks its jobs: all that light steps need, and never torch."""

from __future__ import annotations

import gc
import importlib
import sys

from slim_core.steps.registry import STEPS
from slim_core.version import code_version

_LIGHT_MODULES = ("numpy", "pandas", "pyarrow.parquet", "scipy.stats", "sklearn.cluster", "sklearn.decomposition")


def import_light_half(queues: tuple[str, ...]) -> None:
    """Import what the light steps need, once, before any fork. Never torch, which steps of the gpu queue import."""
    if "cpu" in queues:
        for module in _LIGHT_MODULES:
            importlib.import_module(module)
        for step in STEPS.values():
            if step.queue == "cpu":
                step.load()
    code_version()
    gc.collect()
    gc.freeze()  # forked children share these pages
    if "torch" in sys.modules:
        raise RuntimeError("A light step imports torch: a worker that has loaded it must not fork.")
