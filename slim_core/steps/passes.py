"""Passes of a model over images: attention maps and features, features alone, a few images; and the merge of shards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slim_core import result_files
from slim_core.attention import thumbnails
from slim_core.attention.arrays import merge_arrays, merge_scores, n_clipped, place, summed_up, summed_up_masks
from slim_core.attention.thumbnails import ThumbnailWriter
from slim_core.data.groups import grouping, in_turn
from slim_core.data.images import empty_map
from slim_core.data.images.codec import encode
from slim_core.data.images.transform import ImageTransform, load_picture
from slim_core.data.table import ImageTable
from slim_core.errors import DataRefusedError, NotFoundError, SpecRefusedError
from slim_core.formatting import counted
from slim_core.models.runtime import Runtime
from slim_core.steps.context import StepContext
from slim_core.steps.rescore import find_maps, rescore, take_over
from slim_core.steps.specs import FeaturesSpec, GradcamSpec, PreviewSpec
from slim_core.store.results import AttentionResult, ModelResult, mapped
from slim_core.store.runs.rows import Run


def gradcam(spec: FeaturesSpec, context: StepContext) -> dict[str, Any]:
    """Write the arrays of an attention pass over the spec's splits (attention_pass) and return its metrics.

    A run with shards merges theirs. One that differs from a finished one by its drawn shapes alone takes over what that
    has left (steps.rescore). A pass that was interrupted resumes at the batch after its last checkpoint. Where
    values were clipped to float16, a note of ``report`` says in how many images.

    Raises:
        DataRefusedError: none of the splits has an image, or the data set has changed since the import.
        ImageRefusedError: an image cannot be read.
    """
    return passed(spec, context) | clipped(context)


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


def passed(spec: FeaturesSpec, context: StepContext) -> dict[str, Any]:
    """``gradcam`` without the note."""
    shapes_seq = spec.shapes_seq if isinstance(spec, GradcamSpec) else None
    table = context.table(spec.dataset, shapes_seq)
    shards = context.store.runs.shards(context.run_id)
    if shards:
        return merge(spec, table, shards, context)
    if isinstance(spec, GradcamSpec) and (base := find_maps(spec, context)) is not None:
        return _scored_again(base, table, context)
    return _pass_over(rows_of(table, spec), table, spec, context, context.runtime("attention"))


def _pass_over(
    rows: NDArray[np.int64], table: ImageTable, spec: FeaturesSpec | PreviewSpec, context: StepContext, runtime: Runtime
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


ARRAYS = (result_files.ROWS, *result_files.FEATURES.values(), result_files.LOGITS)
NOT_KEPT = (
    result_files.MAPS,
    result_files.MAPS_PREDICTED,
    result_files.CLASS_MAPS,
    result_files.THUMBNAILS,
    result_files.THUMBNAIL_INDEX,
)
SCORES = ("row", "prediction", "confidence", "loss", "entropy", "no_evidence")


def features(spec: FeaturesSpec, context: StepContext) -> dict[str, Any]:
    """Leave the arrays of an attention pass except its maps, and its scores except those against the masks.

    A run with shards merges theirs; a shard takes its part of a finished gradcam run, or computes it. One that was
    asked for once more computes: images may have been replaced under the same names.

    Returns:
        images, and reused: the gradcam run the arrays were taken from, or None; and, as of gradcam, report.
    """
    if context.store.runs.shards(context.run_id):
        return gradcam(spec, context)
    done = None if context.is_forced else _finished_pass(spec, context)
    if done is None:
        passed(spec, context)
        for name in NOT_KEPT:
            (context.out / name).unlink(missing_ok=True)
        scores = AttentionResult(context.out).scores()
    else:
        scores = _take_over(spec, context.store.artifacts.folder(done), context)
    scores[list(SCORES)].to_parquet(context.out / result_files.SCORES, index=False)
    return {"images": len(scores), "reused": done} | clipped(context)


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


def rows_of(table: ImageTable, spec: FeaturesSpec) -> NDArray[np.int64]:
    """Rows the spec covers, ascending: those of its splits, or its share of them where it is a shard.

    Raises:
        DataRefusedError: none of the splits has an image.
    """
    rows = np.sort(np.concatenate([table.rows(split) for split in spec.splits]))
    if not len(rows):
        raise DataRefusedError(f"{table.name} has no images in {', '.join(spec.splits)}: choose another split.")
    share = spec.share(len(rows))
    return rows[share.start : share.stop]


def merge(spec: FeaturesSpec, table: ImageTable, shards: list[Run], context: StepContext) -> dict[str, Any]:
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
    if "path" not in every[0]:  # of features: they have no more metrics than these
        return {"images": len(scores), "reused": every[0]["reused"] if len({m["reused"] for m in every}) == 1 else None}
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
        pair = np.concatenate([image, empty_map.overlay(image, raw)], axis=1)
        top, left = at // A_ROW * (SIDE + GAP), at % A_ROW * (2 * SIDE + GAP)
        sheet[top : top + SIDE, left : left + 2 * SIDE] = pair
    return sheet
