"""Attention maps as grey images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from slim_core.export.attention import HAVE_MAPS, heat_maps, transform_of
from slim_core.export.form import Form, Source
from slim_core.export.image_list import IMAGES, write_image_list


def write(source: Source, folder: Path) -> None:
    """<split>/<row>.png: (size, size) grey, 0 to 255, in the geometry in which the model sees the image."""
    table, rows = source.table, []
    for row, heat in heat_maps(source, transform_of(source)):
        split = folder / str(table.splits[row])
        split.mkdir(exist_ok=True)
        Image.fromarray(np.rint(heat * 255).astype(np.uint8)).save(split / f"{row}.png")
        rows.append(row)
    write_image_list(table, np.asarray(rows), folder)


FORM = Form(
    name="maps-png",
    of=HAVE_MAPS,
    title="Heat maps (PNG)",
    about=f"A grey image for each map, <split>/<row>.png, at the size the model sees; {IMAGES}: which row is which.",
    opens_in="any image viewer, Pillow",
    write=write,
    downloads=False,
)
