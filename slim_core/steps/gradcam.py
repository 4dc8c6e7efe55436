"""Attention maps, attention scores and features of a model, in one pass over the images (METHOD.md S1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from slim_core.attention import attention_pass
from slim_core.datasets.table import ImageTable
from slim_core.errors import DataRefusedError
from slim_core.images import ImageTransform, open_image
from slim_core.models import load_model
from slim_core.pixels import Pixels
from slim_core.steps.context import StepContext
from slim_core.steps.specs import FeaturesSpec
from slim_core.thumbnails import ThumbnailWriter


def run(spec: FeaturesSpec, context: StepContext) -> dict[str, Any]:
    """Write the arrays of an attention pass over the spec's splits (see slim_core.attention) and return its metrics.

    Raises:
        DataRefusedError: none of the splits has an image.
        ImageRefusedError: an image cannot be read.
    """
    table, model = context.store.datasets.table(spec.dataset), load_model(context.parent(spec.model))
    with (
        ThumbnailWriter(context.out, model.transform) as thumbnails,
        _PixelsWithThumbnails(table, model.transform, thumbnails) as pixels,
    ):
        return attention_pass(
            model,
            table,
            rows_of(table, spec),
            context.out,
            class_of_map=spec.class_of_map,
            batch_size=spec.batch_size,
            device=context.device,
            on_progress=lambda done, total: context.progress(done, total, "attention"),
            check_stop=context.check_stop,
            pixels=pixels,
        )


def rows_of(table: ImageTable, spec: FeaturesSpec) -> NDArray[np.int64]:
    """Rows of the spec's splits, ascending."""
    rows = np.sort(np.concatenate([table.rows(split) for split in spec.splits]))
    if not len(rows):
        raise DataRefusedError(f"{table.name} has no images in {', '.join(spec.splits)}: choose another split.")
    return rows


class _PixelsWithThumbnails(Pixels):
    """Images decoded once, for the network and for a thumbnail; none is kept."""

    def __init__(self, table: ImageTable, transform: ImageTransform, thumbnails: ThumbnailWriter) -> None:
        super().__init__(table, transform, cache_bytes=0)
        self._thumbnails = thumbnails

    def _one(self, row: int) -> NDArray[np.uint8]:
        image = open_image(self.table.image_path(row))
        self._thumbnails.add(row, image)
        return np.asarray(self.transform.fit(image), np.uint8)
