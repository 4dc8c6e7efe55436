"""SLIM: find what an image classifier wrongly looks at, say so on a few images, retrain on a small balanced subset.

``import slim_core`` offers the steps as functions (slim_core.api), each loaded on first use, so that importing the
package costs nothing and never loads torch by itself. docs/loop.py runs the whole loop with them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slim_core.api import answer_from_masks as answer_from_masks
    from slim_core.api import choose_candidates as choose_candidates
    from slim_core.api import compare as compare
    from slim_core.api import curate as curate
    from slim_core.api import data_set as data_set
    from slim_core.api import evaluate as evaluate
    from slim_core.api import gradcam as gradcam
    from slim_core.api import make_space as make_space
    from slim_core.api import preview as preview
    from slim_core.api import refit_last_layer as refit_last_layer
    from slim_core.api import register_model as register_model
    from slim_core.api import report as report
    from slim_core.api import retrain as retrain
    from slim_core.api import run_loop as run_loop
    from slim_core.api import space_figure as space_figure
    from slim_core.api import train as train
    from slim_core.data.importing import import_data as import_data
    from slim_core.data.sets.digits import DemoConfig as DemoConfig
    from slim_core.data.sets.digits import write_demo as write_demo
    from slim_core.errors import SlimError as SlimError
    from slim_core.runs.executor import Workbench as Workbench
    from slim_core.runs.executor import open_workbench as open_workbench
    from slim_core.runs.loop_runs import LoopConfig as LoopConfig
    from slim_core.runs.methods import METHODS as METHODS
    from slim_core.runs.methods import Loop as Loop
    from slim_core.settings import Settings as Settings
    from slim_core.store import Store as Store

_STEPS = (
    *("answer_from_masks", "choose_candidates", "compare", "curate", "data_set", "evaluate", "gradcam"),
    *("make_space", "preview", "refit_last_layer", "register_model", "report", "retrain", "run_loop"),
    *("space_figure", "train"),
)
_HOMES = {
    **dict.fromkeys(_STEPS, "api"),
    "DemoConfig": "data.sets.digits",
    "import_data": "data.importing",
    "write_demo": "data.sets.digits",
    "SlimError": "errors",
    "METHODS": "runs.methods",
    "Loop": "runs.methods",
    "LoopConfig": "runs.loop_runs",
    "Settings": "settings",
    "Store": "store",
    "Workbench": "runs.executor",
    "open_workbench": "runs.executor",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """A name of the public interface, loaded from its file on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
