"""Images under their attention maps, for people to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from slim_core.data.images import empty_map
from slim_core.data.images.transform import load_picture
from slim_core.export.attention import transform_of, write_pictures
from slim_core.export.form import Form, Source
from slim_core.export.image_list import IMAGES
from slim_core.store.runs.kinds import WITH_MAPS


def write(source: Source, folder: Path) -> None:
    """<split>/<row>.png: (size, size) colours, the part of the image that the model sees; an empty map says so."""
    transform = transform_of(source)

    def drawn(row: int, raw: NDArray[np.float32]) -> Image.Image:
        return Image.fromarray(empty_map.overlay(load_picture(source.image(row), transform), raw))

    write_pictures(source, folder, drawn)


FORM = Form(
    name="overlays-png",
    of=WITH_MAPS,
    title="Overlays (PNG)",
    about=f"Each image with its map over it, in colour, <split>/<row>.png; {IMAGES}: which row is which.",
    opens_in="any image viewer, Pillow",
    write=write,
    downloads=False,
)
