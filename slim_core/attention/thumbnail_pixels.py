"""Images decoded once, for the network and for a thumbnail (heavy: the network's side of thumbnails)."""

from __future__ import annotations

import numpy as np

from slim_core.attention.thumbnails import ThumbnailWriter
from slim_core.data.images.codec import open_image
from slim_core.data.images.transform import ImageTransform
from slim_core.data.table import ImageTable
from slim_core.models.inference import Pixels


class ThumbnailPixels(Pixels):
    """As Pixels, none kept in memory; each image that is decoded also leaves its thumbnail."""

    def __init__(self, table: ImageTable, transform: ImageTransform, thumbnails: ThumbnailWriter) -> None:
        super().__init__(table, transform, cache_bytes=0)
        self._thumbnails = thumbnails

    def _one(self, row: int) -> np.ndarray:
        image = open_image(self.table.image_path(row))
        self._thumbnails.add(row, image)
        return np.asarray(self.transform.fit(image), np.uint8)
