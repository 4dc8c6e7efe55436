"""The features of a model alone: taken over from a finished gradcam run, or computed in a pass of their own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from slim_core.steps import gradcam
from slim_core.steps.context import StepContext
from slim_core.steps.specs import FeaturesSpec

ARRAYS = (
    "rows.npy",
    "attention_features.npy",
    "environment_features.npy",
    "pooled_features.npy",
    "logits.npy",
)
SCORES = ("row", "prediction", "confidence", "loss", "entropy", "no_evidence")


def run(spec: FeaturesSpec, context: StepContext) -> dict[str, Any]:
    """Leave the arrays of an attention pass except its maps, and its scores except those against the masks.

    Returns:
        images, and reused: the gradcam run the arrays were taken from, or None.
    """
    done = finished_gradcam(spec, context)
    if done is None:
        gradcam.run(spec, context)
        for maps in context.out.glob("maps*.npy"):
            maps.unlink()
    else:
        _take_over(context.store.artifacts.folder(done), context.out)
    scores = pd.read_parquet((context.store.artifacts.folder(done) if done else context.out) / "scores.parquet")
    scores[list(SCORES)].to_parquet(context.out / "scores.parquet", index=False)
    return {"images": len(scores), "reused": done}


def finished_gradcam(spec: FeaturesSpec, context: StepContext) -> str | None:
    """Id of a finished gradcam run that has looked at the same images with the same model."""
    wanted = spec.model_dump(exclude={"kind", "batch_size", "seed"}, mode="json")
    for run in context.store.runs.all(kind="gradcam", status="done", dataset=spec.dataset):
        if {key: run.spec.get(key) for key in wanted} == wanted:
            return run.id
    return None


def _take_over(source: Path, target: Path) -> None:
    for name in ARRAYS:
        try:
            os.link(source / name, target / name)
        except OSError:  # another file system: a copy serves as well
            shutil.copyfile(source / name, target / name)
