"""Attention maps, attention scores and features of a model, in one pass over the images (METHOD.md S1)."""

from __future__ import annotations

from typing import Any

from slim_core.attention.thumbnails import ThumbnailWriter
from slim_core.steps.context import StepContext
from slim_core.steps.shards import merge, rows_of
from slim_core.steps.specs import FeaturesSpec


def run(spec: FeaturesSpec, context: StepContext) -> dict[str, Any]:
    """Write the arrays of an attention pass over the spec's splits (attention_pass) and return its metrics.

    A run with shards merges theirs. A pass that was interrupted resumes at the batch after its last checkpoint.

    Raises:
        DataRefusedError: none of the splits has an image, or the data set has changed since the import.
        ImageRefusedError: an image cannot be read.
    """
    table = context.table(spec.dataset)
    shards = context.store.runs.shards(context.run_id)
    if shards:
        return merge(spec, table, shards, context)
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
