"""Attention maps, attention scores and features of a model, in one pass over the images (METHOD.md S1)."""

from __future__ import annotations

from typing import Any

from slim_core import result_files
from slim_core.attention.arrays import n_clipped, summed_up_masks
from slim_core.attention.thumbnails import ThumbnailWriter
from slim_core.data.table import ImageTable
from slim_core.formatting import counted
from slim_core.steps.context import StepContext
from slim_core.steps.rescore import find_maps, rescore, take_over
from slim_core.steps.shards import merge, rows_of
from slim_core.steps.specs import FeaturesSpec, GradcamSpec
from slim_core.store.results import AttentionResult
from slim_core.store.runs.rows import Run


def run(spec: FeaturesSpec, context: StepContext) -> dict[str, Any]:
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
    """``run`` without the note."""
    shapes_seq = spec.shapes_seq if isinstance(spec, GradcamSpec) else None
    table = context.table(spec.dataset, shapes_seq)
    shards = context.store.runs.shards(context.run_id)
    if shards:
        return merge(spec, table, shards, context)
    if isinstance(spec, GradcamSpec) and (base := find_maps(spec, context)) is not None:
        return _scored_again(base, table, context)
    from slim_core.attention.attention_pass import attention_pass  # torch, which a merge does without
    from slim_core.attention.thumbnail_pixels import ThumbnailPixels
    from slim_core.models.build import load_model

    model = load_model(context.parent(spec.model))
    with ThumbnailWriter(context.checkpoint_dir, model.transform) as thumbnails:
        with ThumbnailPixels(table, model.transform, thumbnails) as pixels:
            metrics = attention_pass(
                model,
                table,
                rows_of(table, spec),
                context.out,
                spec,
                runtime=context.runtime("attention"),
                pixels=pixels,
            )
        thumbnails.publish(context.out)
    return metrics


def _scored_again(base: Run, table: ImageTable, context: StepContext) -> dict[str, Any]:
    """The pass of a finished run, scored against other shapes. Times are those of the pass."""
    folder = take_over(base, context)
    scores = rescore(base, AttentionResult(folder).scores(), table, context)
    scores.to_parquet(context.out / result_files.SCORES, index=False)
    return (base.metrics or {}) | summed_up_masks(scores) | {"reused": base.id}
