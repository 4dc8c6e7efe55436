"""Images under their attention maps, for people to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from slim_core.data.images import load_picture, overlay
from slim_core.export.attention import HAVE_MAPS, heat_maps, transform_of
from slim_core.export.form import Form, Source
from slim_core.export.image_list import IMAGES, write_image_list


def write(source: Source, folder: Path) -> None:
    """<split>/<row>.png: (size, size) colours, the part of the image that the model sees."""
    table, transform, rows = source.table, transform_of(source), []
    for row, heat in heat_maps(source, transform):
        split = folder / str(table.splits[row])
        split.mkdir(exist_ok=True)
        picture = load_picture(table.image_path(row), transform)
        Image.fromarray(overlay(picture, heat)).save(split / f"{row}.png")
        rows.append(row)
    write_image_list(table, np.asarray(rows), folder)


FORM = Form(
    name="overlays-png",
    of=HAVE_MAPS,
    title="Overlays (PNG)",
    about=f"Each image under its map, in colour, <split>/<row>.png; {IMAGES}: which row is which.",
    opens_in="any image viewer, Pillow",
    write=write,
    downloads=False,
)
