"""Passes of a model over images: maps and features of splits, or of a few images; the merge of shards; and maps that
are there already, scored against shapes that were drawn since.

A run depends on the shapes of its spec (``shapes_seq``), so that other shapes are another run. It takes the maps over
from a finished run of the same spec with other shapes, and computes only the scores of the images whose shapes differ:
no network is run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slim_core import result_files
from slim_core.attention import thumbnails
from slim_core.attention.arrays import (
    MASK_SCORES,
    merge_arrays,
    merge_scores,
    n_clipped,
    place,
    summed_up,
    summed_up_masks,
)
from slim_core.attention.thumbnails import ThumbnailWriter
from slim_core.curation import finder
from slim_core.data.groups import grouping, in_turn
from slim_core.data.images import heat
from slim_core.data.images.codec import ImageTransform, encode, load_picture
from slim_core.data.images.heat import heat_map
from slim_core.data.table import ImageTable, load_mask
from slim_core.errors import DataRefusedError, NotFoundError, SpecRefusedError
from slim_core.formatting import counted
from slim_core.metrics import AIOU, ATTENTION_PRECISION, IOU, aiou, attention_precision, iou
from slim_core.models.runtime import Runtime
from slim_core.steps.context import StepContext
from slim_core.steps.specs import EvaluateSpec, GradcamSpec, PreviewSpec
from slim_core.store.results import PREDICTED, AttentionResult, ModelResult, mapped
from slim_core.store.runs.rows import Run


def gradcam(spec: GradcamSpec, context: StepContext) -> dict[str, Any]:
    """Write the arrays of an attention pass over the spec's splits (attention_pass) and return its metrics.

    A run with shards merges theirs. One that differs from a finished one by its drawn shapes alone takes over what that
    has left (``rescore``). A pass that was interrupted resumes at the batch after its last checkpoint. Where
    values were clipped to float16, a note of ``report`` says in how many images.

    Raises:
        DataRefusedError: none of the splits has an image, or the data set has changed since the import.
        ImageRefusedError: an image cannot be read.
    """
    table = context.table(spec.dataset, spec.shapes_seq)
    if shards := context.store.runs.shards(context.run_id):
        metrics = merge(spec, table, shards, context)
    elif (base := find_maps(spec, context)) is not None:
        metrics = _scored_again(base, table, context)
    else:
        metrics = _pass_over(rows_of(table, spec), table, spec, context, context.runtime("attention"))
    if spec.shard is None and spec.class_of_map != PREDICTED:
        _leave_findings(spec, table, context)
    return metrics | clipped(context)


def _leave_findings(spec: GradcamSpec, table: ImageTable, context: StepContext) -> None:
    """What the attention is on, class by class, from the arrays of the whole pass."""
    context.progress(0, 1, "clusters of attention")
    transform = ModelResult(context.parent(spec.model)).transform
    finder.save(finder.find(seen_in(AttentionResult(context.out)), table, transform), context.out)


def seen_in(result: AttentionResult) -> finder.Seen:
    """The arrays of a pass that the finder reads."""
    predictions = result.scores(["prediction"])["prediction"].to_numpy()
    maps, features = result.maps(np.arange(len(result.rows))), result.stored_features("attention")
    return finder.Seen(result.rows, predictions, maps, features)


def clipped(context: StepContext) -> dict[str, Any]:
    """``report``, with a note on images whose values were clipped to float16, if there are any; it is logged, too."""
    checking = context.runtime("checking values")
    if not (n := n_clipped(context.out, checking.on_progress, checking.check_stop)):
        return {}
    note = (
        f"Values in the map or features of {counted(n, 'image')} were beyond 65,504, the largest of float16, and were "
        f"clipped to it: distances from these images in the spaces are too small."
    )
    context.log.warning(note)
    return {"report": {"notes": [note]}}


def _pass_over(
    rows: NDArray[np.int64], table: ImageTable, spec: GradcamSpec | PreviewSpec, context: StepContext, runtime: Runtime
) -> dict[str, Any]:
    """An attention pass over rows of the table, and their thumbnails; its metrics."""
    from slim_core.attention.attention_pass import (
        ThumbnailPixels,
        attention_pass,  # torch, which a merge does without
    )
    from slim_core.models.build import load_model

    model = load_model(context.parent(spec.model))
    with ThumbnailWriter(context.checkpoint_dir, model.transform) as thumbnails:
        with ThumbnailPixels(table, model.transform, thumbnails) as pixels:
            metrics = attention_pass(model, table, rows, context.out, spec, runtime=runtime, pixels=pixels)
        thumbnails.publish(context.out)
    return metrics


def _scored_again(base: Run, table: ImageTable, context: StepContext) -> dict[str, Any]:
    """The pass of a finished run, scored against other shapes. Times are those of the pass."""
    folder = take_over(base, context)
    scores = rescore(base, AttentionResult(folder).scores(), table, context)
    scores.to_parquet(context.out / result_files.SCORES, index=False)
    return (base.metrics or {}) | summed_up_masks(scores) | {"reused": base.id}


def preview(spec: PreviewSpec, context: StepContext) -> dict[str, Any]:
    """Leave the arrays of an attention pass over a few images of the split, and a picture of them; its metrics.

    Raises:
        DataRefusedError: the split has no images.
        SpecRefusedError: the model has no layer with a map, or the layer that is named has none.
    """
    table = context.table(spec.dataset)
    rows = spread_rows(table, spec)
    metrics = _pass_over(rows, table, spec, context, replace(context.runtime("preview"), checkpoint_dir=None))
    seen = AttentionResult(context.out)
    maps = np.stack([seen.map_of(int(row)) for row in rows])  # type: ignore[misc]  # it has seen them all
    sheet = draw_sheet(table, rows, maps, ModelResult(context.parent(spec.model)).transform)
    (context.out / result_files.SHEET).write_bytes(encode(sheet, "png"))
    return metrics


def spread_rows(table: ImageTable, spec: PreviewSpec) -> NDArray[np.int64]:
    """Rows of the split, ascending: as many of each group as of any other, as far as they go, drawn by the seed.

    Raises:
        DataRefusedError: the split has no images.
    """
    rows = table.rows(spec.split)
    if not len(rows):
        raise DataRefusedError(f"{table.name} has no {spec.split} images: choose another split.")
    return np.sort(in_turn(rows, grouping(table).index, spec.seed)[: spec.images]).astype(np.int64)


def rows_of(table: ImageTable, spec: GradcamSpec) -> NDArray[np.int64]:
    """Rows the spec covers, ascending: those of its splits, or its share of them where it is a shard.

    Raises:
        DataRefusedError: none of the splits has an image.
    """
    rows = np.sort(np.concatenate([table.rows(split) for split in spec.splits]))
    if not len(rows):
        raise DataRefusedError(f"{table.name} has no images in {', '.join(spec.splits)}: choose another split.")
    share = spec.share(len(rows))
    return rows[share.start : share.stop]


def merge(spec: GradcamSpec, table: ImageTable, shards: list[Run], context: StepContext) -> dict[str, Any]:
    """Join what the shards left into what one pass would have left, byte for byte, and its metrics.

    Only times differ: ``seconds`` adds up the shards' work. Shards that ran on unlike devices differ from one pass in
    the last digits, as any two devices do. What the shards made is removed once the merge is recorded; their logs stay.

    Raises:
        SpecRefusedError: the shards do not add up to the images of the spec.
    """
    folders = [_left_by(shard, context) for shard in shards]
    merge_arrays(
        folders,
        context.out,
        lambda done, total: context.progress(done, total, f"merging {len(shards)} shards"),
        context.check_stop,
    )
    rows = rows_of(table, spec)
    if not np.array_equal(AttentionResult(context.out).rows, rows):
        raise SpecRefusedError(f"The shards of {context.run_id} hold other images than {table.name}: submit it again.")
    scores = merge_scores(folders, context.out)
    thumbnails.merge(folders, context.out)
    every = [shard.metrics or {} for shard in shards]
    seconds = sum(metrics["seconds"] for metrics in every)
    same: dict[str, Any] = {key: every[0].get(key) for key in ("path", "target_layer", "map_shape", "n_features")}
    return summed_up(scores, table.labels[rows], **same, seconds=seconds)


def _left_by(shard: Run, context: StepContext) -> Path:
    try:
        folder = context.parent(shard.id)
    except NotFoundError:
        folder = None
    if folder is None or not (folder / result_files.ROWS).is_file():
        raise SpecRefusedError(
            f"The result of shard {shard.spec['shard'] + 1} of {shard.spec['shards']} ({shard.id}) is gone: submit the "
            f"{shard.kind} step again."
        )
    return folder


SIDE = 160  # pixels of a picture
A_ROW = 4  # images beside each other, each with its overlay
GAP = 8  # pixels between images


def draw_sheet(
    table: ImageTable, rows: NDArray[np.int64], maps: NDArray[np.float32], transform: ImageTransform
) -> NDArray[np.uint8]:
    """(height, width, 3) pixels on white: each row's image, and right of it the same under its raw map (n, U, V)."""
    n_lines = -(-len(rows) // A_ROW)
    sheet = np.full((n_lines * (SIDE + GAP) - GAP, A_ROW * (2 * SIDE + GAP) - GAP, 3), 255, np.uint8)
    geometry = replace(transform, size=SIDE)
    for at, (row, raw) in enumerate(zip(rows, maps, strict=True)):
        image = load_picture(table.image_path(int(row)), geometry)
        pair = np.concatenate([image, heat.map_overlay(image, raw, geometry)], axis=1)
        top, left = at // A_ROW * (SIDE + GAP), at % A_ROW * (2 * SIDE + GAP)
        sheet[top : top + pair.shape[0], left : left + pair.shape[1]] = pair
    return sheet


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
