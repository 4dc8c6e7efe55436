"""Passes of a model over images: maps and features of splits, or of a few images; and the merge of shards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slim_core import result_files
from slim_core.attention import thumbnails
from slim_core.attention.arrays import merge_arrays, merge_scores, n_clipped, summed_up, summed_up_masks
from slim_core.attention.thumbnails import ThumbnailWriter
from slim_core.data.groups import grouping, in_turn
from slim_core.data.images import heat
from slim_core.data.images.codec import ImageTransform, encode, load_picture
from slim_core.data.table import ImageTable
from slim_core.errors import DataRefusedError, NotFoundError, SpecRefusedError
from slim_core.formatting import counted
from slim_core.models.runtime import Runtime
from slim_core.steps.context import StepContext
from slim_core.steps.rescore import find_maps, rescore, take_over
from slim_core.steps.specs import GradcamSpec, PreviewSpec
from slim_core.store.results import AttentionResult, ModelResult
from slim_core.store.runs.rows import Run


def gradcam(spec: GradcamSpec, context: StepContext) -> dict[str, Any]:
    """Write the arrays of an attention pass over the spec's splits (attention_pass) and return its metrics.

    A run with shards merges theirs. One that differs from a finished one by its drawn shapes alone takes over what that
    has left (steps.rescore). A pass that was interrupted resumes at the batch after its last checkpoint. Where
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
    return metrics | clipped(context)


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
        pair = np.concatenate([image, heat.map_overlay(image, raw)], axis=1)
        top, left = at // A_ROW * (SIDE + GAP), at % A_ROW * (2 * SIDE + GAP)
        sheet[top : top + SIDE, left : left + 2 * SIDE] = pair
    return sheet
