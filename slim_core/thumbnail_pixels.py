"""Images decoded once, for the network and for a thumbnail (heavy: the network's side of slim_core.thumbnails)."""

from __future__ import annotations

import numpy as np

from slim_core.datasets.table import ImageTable
from slim_core.images import ImageTransform, open_image
from slim_core.pixels import Pixels
from slim_core.thumbnails import ThumbnailWriter


class ThumbnailPixels(Pixels):
    """As Pixels, none kept in memory; each image that is decoded also leaves its thumbnail."""

    def __init__(self, table: ImageTable, transform: ImageTransform, thumbnails: ThumbnailWriter) -> None:
        super().__init__(table, transform, cache_bytes=0)
        self._thumbnails = thumbnails

    def _one(self, row: int) -> np.ndarray:
        image = open_image(self.table.image_path(row))
        self._thumbnails.add(row, image)
        return np.asarray(self.transform.fit(image), np.uint8)
