"""The features of a model alone: taken over from a finished gradcam run, or computed in a pass of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slim_core import result_files
from slim_core.attention.arrays import place
from slim_core.steps import gradcam
from slim_core.steps.context import StepContext
from slim_core.steps.specs import FeaturesSpec
from slim_core.store.results import AttentionResult, mapped

ARRAYS = (result_files.ROWS, *result_files.FEATURES.values(), result_files.LOGITS)
NOT_KEPT = (
    result_files.MAPS,
    result_files.MAPS_PREDICTED,
    result_files.CLASS_MAPS,
    result_files.THUMBNAILS,
    result_files.THUMBNAIL_INDEX,
)
SCORES = ("row", "prediction", "confidence", "loss", "entropy", "no_evidence")


def run(spec: FeaturesSpec, context: StepContext) -> dict[str, Any]:
    """Leave the arrays of an attention pass except its maps, and its scores except those against the masks.

    A run with shards merges theirs; a shard takes its part of a finished gradcam run, or computes it. One that was
    asked for once more computes: images may have been replaced under the same names.

    Returns:
        images, and reused: the gradcam run the arrays were taken from, or None; and, as of gradcam, report.
    """
    if context.store.runs.shards(context.run_id):
        return gradcam.run(spec, context)
    done = None if context.is_forced else _finished_pass(spec, context)
    if done is None:
        gradcam.passed(spec, context)
        for name in NOT_KEPT:
            (context.out / name).unlink(missing_ok=True)
        scores = AttentionResult(context.out).scores()
    else:
        scores = _take_over(spec, context.store.artifacts.folder(done), context)
    scores[list(SCORES)].to_parquet(context.out / result_files.SCORES, index=False)
    return {"images": len(scores), "reused": done} | gradcam.clipped(context)


def _finished_pass(spec: FeaturesSpec, context: StepContext) -> str | None:
    """Id of a finished gradcam run over the same images with the same model."""
    any_value = ("kind", "batch_size", "seed", "shard", "shards")
    plain = spec.model_dump(mode="json")  # as a run keeps it: a later field at its default is left out of both
    wanted = {name: plain.get(name) for name in type(spec).model_fields if name not in any_value}
    passes = context.store.lineage.finished_passes(spec.dataset, wanted)
    return passes[0].id if passes else None


def _take_over(spec: FeaturesSpec, source: Path, context: StepContext) -> pd.DataFrame:
    """The arrays of a finished pass, or a shard's part of them. Returns the scores of the same images."""
    scores = AttentionResult(source).scores()
    share = spec.share(len(scores))
    for name in ARRAYS:
        if spec.shard is None:
            place(source / name, context.out / name)
        else:
            np.save(context.out / name, mapped(source / name)[share.start : share.stop])
    context.progress(len(share), len(share), "taken over")
    return scores[share.start : share.stop].reset_index(drop=True)
