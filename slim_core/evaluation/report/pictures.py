"""Small pictures of images under a model's attention, as data URIs that need no server."""

from __future__ import annotations

import base64
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.data.images import empty_map
from slim_core.data.images.codec import encode
from slim_core.data.images.transform import load_pixels
from slim_core.errors import NotFoundError
from slim_core.store.results import AttentionResult, ModelResult

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Run, Store


@dataclass(frozen=True)
class Attention:
    """The attention maps that an evaluate or gradcam run kept. Finished runs never change."""

    seen: AttentionResult
    model: ModelResult
    table: ImageTable

    @classmethod
    def of(cls, store: Store, run: Run) -> Attention | None:
        """None where the run kept no maps, or its files or its model's are gone."""
        try:
            seen = AttentionResult(store.artifacts.folder(run.id))
            model = ModelResult(store.artifacts.folder(run.spec["model"]))
        except NotFoundError:
            return None
        return cls(seen, model, store.datasets.table(run.dataset_id)) if seen.has_maps and model.exists else None

    def image(self, row: int, size: int) -> NDArray[np.uint8]:
        """(size, size, 3): what the model saw.

        Raises:
            ImageRefusedError: the file is gone, damaged or too large.
        """
        transform = dataclasses.replace(self.model.transform, size=size)
        return load_pixels(self.table.image_path(row), transform)

    def overlay(self, row: int, size: int) -> NDArray[np.uint8]:
        """(size, size, 3): the same under its attention; the plain image where no map of the row was kept, and with a
        label where the map is empty."""
        pixels = self.image(row, size)
        raw = self.seen.map_of(row)
        if raw is None:
            return pixels
        return empty_map.overlay(pixels, raw)


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """A WebP picture inside its own address."""
    return "data:image/webp;base64," + base64.b64encode(encode(pixels, "webp", quality=80)).decode("ascii")
