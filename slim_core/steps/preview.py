"""Attention maps of a few images: whether the model and its target layer are worth a whole pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slim_core import result_files
from slim_core.attention.attention_pass import attention_pass
from slim_core.attention.sheet import draw_sheet
from slim_core.attention.thumbnail_pixels import ThumbnailPixels
from slim_core.attention.thumbnails import ThumbnailWriter
from slim_core.data.groups import grouping, in_turn
from slim_core.data.images.codec import encode
from slim_core.data.table import ImageTable
from slim_core.errors import DataRefusedError
from slim_core.models.build import load_model
from slim_core.steps.context import StepContext
from slim_core.steps.specs import PreviewSpec
from slim_core.store.results import AttentionResult


def run(spec: PreviewSpec, context: StepContext) -> dict[str, Any]:
    """Leave the arrays of an attention pass over a few images of the split, and a picture of them; its metrics.

    Raises:
        DataRefusedError: the split has no images.
        SpecRefusedError: the model has no layer with a map, or the layer that is named has none.
    """
    table = context.table(spec.dataset)
    rows = spread_rows(table, spec)
    model = load_model(context.parent(spec.model))
    runtime = replace(context.runtime("preview"), checkpoint_dir=None)
    with ThumbnailWriter(context.checkpoint_dir, model.transform) as thumbnails:
        with ThumbnailPixels(table, model.transform, thumbnails) as pixels:
            metrics = attention_pass(model, table, rows, context.out, spec, runtime=runtime, pixels=pixels)
        thumbnails.publish(context.out)
    seen = AttentionResult(context.out)
    maps = np.stack([seen.map_of(int(row)) for row in rows])  # type: ignore[misc]  # it has seen them all
    sheet = draw_sheet(table, rows, maps, model.transform)
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
