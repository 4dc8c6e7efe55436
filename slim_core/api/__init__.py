"""The steps as typed functions, for scripts and notebooks; ``import slim_core`` offers all of them.

Each waits until its run is done and returns the run's row. Without a workbench it works in this process, on the store
of SLIM_HOME. What is left out is the newest that fits.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slim_core.api.annotation import NO_CAMPAIGN as NO_CAMPAIGN
    from slim_core.api.annotation import answer_from_masks as answer_from_masks
    from slim_core.api.annotation import choose_candidates as choose_candidates
    from slim_core.api.annotation import curate as curate
    from slim_core.api.attention import extract_features as extract_features
    from slim_core.api.attention import gradcam as gradcam
    from slim_core.api.attention import make_space as make_space
    from slim_core.api.attention import preview as preview
    from slim_core.api.attention import space_figure as space_figure
    from slim_core.api.results import compare as compare
    from slim_core.api.results import evaluate as evaluate
    from slim_core.api.training import how_to_retrain as how_to_retrain
    from slim_core.api.training import refit_last_layer as refit_last_layer
    from slim_core.api.training import register_model as register_model
    from slim_core.api.training import retrain as retrain
    from slim_core.api.training import run_loop as run_loop
    from slim_core.api.training import train as train
    from slim_core.runs.resolve import data_set as data_set

# name -> the file of slim_core that it is loaded from on first use; slim_core offers these names, too
HOMES = {
    "NO_CAMPAIGN": "api.annotation",
    "answer_from_masks": "api.annotation",
    "choose_candidates": "api.annotation",
    "compare": "api.results",
    "curate": "api.annotation",
    "data_set": "runs.resolve",
    "evaluate": "api.results",
    "extract_features": "api.attention",
    "gradcam": "api.attention",
    "how_to_retrain": "api.training",
    "make_space": "api.attention",
    "preview": "api.attention",
    "refit_last_layer": "api.training",
    "register_model": "api.training",
    "retrain": "api.training",
    "run_loop": "api.training",
    "space_figure": "api.attention",
    "train": "api.training",
}
__all__ = list(HOMES)


def __getattr__(name: str) -> Any:
    """A step, loaded from its file on first use (PEP 562)."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"slim_core.{HOMES[name]}"), name)
