"""Small pictures of images under a model's attention, as data URIs that need no server."""

from __future__ import annotations

import base64
import dataclasses
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.data import images
from slim_core.errors import NotFoundError

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Run, Store


@dataclass(frozen=True)
class Attention:
    """The attention maps that an evaluate or gradcam run kept. Finished runs never change."""

    folder: Path
    model_folder: Path
    table: ImageTable

    @classmethod
    def of(cls, store: Store, run: Run) -> Attention | None:
        """None where the run kept no maps, or its files or its model's are gone."""
        try:
            folder, model = store.artifacts.folder(run.id), store.artifacts.folder(run.spec["model"])
        except NotFoundError:
            return None
        if not (folder / "maps.npy").is_file() or not (model / "model.json").is_file():
            return None
        return cls(folder, model, store.datasets.table(run.dataset_id))

    @cached_property
    def _positions(self) -> dict[int, int]:
        rows = np.load(self.folder / "rows.npy", allow_pickle=False)
        return {int(row): position for position, row in enumerate(rows)}

    @cached_property
    def _transform(self) -> images.ImageTransform:
        about = json.loads((self.model_folder / "model.json").read_text())
        return images.ImageTransform.from_json(about["transform"])

    def image(self, row: int, size: int) -> NDArray[np.uint8]:
        """(size, size, 3): what the model saw.

        Raises:
            ImageRefusedError: the file is gone, damaged or too large.
        """
        transform = dataclasses.replace(self._transform, size=size)
        return images.load_pixels(self.table.image_path(row), transform)

    def overlay(self, row: int, size: int) -> NDArray[np.uint8]:
        """(size, size, 3): the same under its attention; the plain image where no map of the row was kept."""
        pixels = self.image(row, size)
        if row not in self._positions:
            return pixels
        maps = np.load(self.folder / "maps.npy", mmap_mode="r", allow_pickle=False)
        heat = images.heat_map(np.asarray(maps[self._positions[row]], np.float32), size)
        return images.overlay(pixels, heat)


def data_uri(pixels: NDArray[np.uint8], quality: int = 80) -> str:
    """A WebP picture inside its own address."""
    return "data:image/webp;base64," + base64.b64encode(images.encode(pixels, "webp", quality)).decode("ascii")
