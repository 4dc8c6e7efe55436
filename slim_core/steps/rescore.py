"""Attention maps that are there already, scored against shapes that were drawn since: no network is run.

A run depends on the shapes of its spec (``shapes_seq``), so that other shapes are another run. It takes the maps over
from a finished run of the same spec with other shapes, and computes only the scores of the images whose shapes differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slim_core import result_files
from slim_core.attention.arrays import MASK_SCORES, place
from slim_core.data.images.codec import ImageTransform, load_mask
from slim_core.data.images.heat import heat_map
from slim_core.data.table import ImageTable
from slim_core.metrics import AIOU, ATTENTION_PRECISION, IOU, aiou, attention_precision, iou
from slim_core.steps.context import StepContext
from slim_core.steps.specs import EvaluateSpec, GradcamSpec
from slim_core.store.results import PREDICTED, AttentionResult, ModelResult, mapped
from slim_core.store.runs.rows import Run

NEEDED = (result_files.ROWS, result_files.MAPS, result_files.CLASS_MAPS, result_files.LOGITS)
TAKEN_OVER = (
    *NEEDED,
    result_files.MAPS_PREDICTED,
    *result_files.FEATURES.values(),
    result_files.THUMBNAILS,
    result_files.THUMBNAIL_INDEX,
)


def find_maps(spec: GradcamSpec | EvaluateSpec, context: StepContext) -> Run | None:
    """The newest finished run of the same spec with other shapes that kept the maps of every class, if there is one.

    AIoU compares the map of the true class with those of all others. A shard does its part anew, and so does a run that
    was asked for once more: images may have been replaced under the same names.
    """
    plain = spec.record()
    if spec.shapes_seq is None or plain.get("shard") is not None or context.is_forced:
        return None
    wanted = {name: plain.get(name) for name in type(spec).model_fields if name != "shapes_seq"}
    found = context.store.lineage.finished_like(spec.kind, spec.dataset, wanted)
    others = (run for run in found if run.spec.get("shapes_seq") != spec.shapes_seq)
    has = context.store.artifacts.has
    return next((run for run in others if all(has(run.id, name) for name in NEEDED)), None)


def take_over(base: Run, context: StepContext) -> Path:
    """Leave the arrays of a finished run; returns its folder."""
    folder = context.parent(base.id)
    for name in TAKEN_OVER:
        if (folder / name).exists():
            place(folder / name, context.out / name)
    return folder


def rescore(base: Run, scores: pd.DataFrame, table: ImageTable, context: StepContext) -> pd.DataFrame:
    """The scores of a finished run (in the order of its rows), with those that its shapes give no longer computed anew.

    ``table``: with the shapes that count now.
    """
    seen = AttentionResult(context.out)
    every_class, rows = mapped(context.out / result_files.CLASS_MAPS), seen.rows  # (n, C, U, V), (n,)
    labels = table.labels[rows]
    shown = seen.logits.argmax(1) if base.spec.get("class_of_map") == PREDICTED else labels
    transform = ModelResult(context.parent(base.spec["model"])).transform
    positions = np.flatnonzero(np.isin(rows, _outdated(base, scores, table, context)))
    found = {name: _known(scores, name) for name in MASK_SCORES}
    for done, at in enumerate(positions.tolist()):
        context.check_stop()
        mask = load_mask(table, int(rows[at]), transform)
        each = _against(every_class[at], mask, int(labels[at]), int(shown[at]), transform)
        for name, value in zip(MASK_SCORES, each, strict=True):
            found[name][at] = value
        context.progress(done + 1, len(positions), "scoring")
    return scores.assign(**found)


def _outdated(base: Run, scores: pd.DataFrame, table: ImageTable, context: StepContext) -> list[int]:
    """Rows whose shapes differ; where a score was not kept of each image, all that have a mask."""
    before = context.store.shapes.drawings(base.dataset_id, base.spec.get("shapes_seq") or 0)
    drawn = {row for row in before.keys() | table.drawn.keys() if before.get(row) != table.drawn.get(row)}
    known: Iterable[int] = () if set(MASK_SCORES) <= set(scores) else np.flatnonzero(table.has_mask).tolist()
    return sorted(drawn.union(known))


def _against(
    maps: NDArray[Any], mask: np.ndarray | None, label: int, shown: int, transform: ImageTransform
) -> tuple[float, float, float]:
    """IoU, AIoU and attention precision of raw maps (C, U, V); NaN where there is no mask (METHOD section 2)."""
    if mask is None:
        return np.nan, np.nan, np.nan
    M = np.stack([heat_map(each, transform.size) for each in maps])  # (C, size, size)
    scores = {
        IOU: iou(M[shown], mask),
        AIOU: aiou(M, mask, label),
        ATTENTION_PRECISION: attention_precision(M[shown], mask),
    }
    return scores[IOU], scores[AIOU], scores[ATTENTION_PRECISION]


def _known(scores: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """(n,) of one score; NaN where it was not kept of each image."""
    return scores[name].to_numpy(float, copy=True) if name in scores else np.full(len(scores), np.nan)
