"""Attention maps as grey images, in the geometry of the model that made them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from slim_core.data.images.heat import heat_map
from slim_core.data.images.transform import ImageTransform
from slim_core.export.form import Form, Source
from slim_core.export.image_list import IMAGES, write_image_list
from slim_core.store.results import Maps, ModelResult
from slim_core.store.runs.kinds import WITH_MAPS


def write(source: Source, folder: Path) -> None:
    """<split>/<row>.png: (size, size) grey, 0 to 255, in the geometry in which the model sees the image."""
    table, rows = source.table, []
    for row, heat in heat_maps(source, transform_of(source)):
        split = folder / str(table.splits[row])
        split.mkdir(exist_ok=True)
        grey(heat).save(split / f"{row}.png")
        rows.append(row)
    write_image_list(table, np.asarray(rows), folder)


def heat_maps(source: Source, transform: ImageTransform) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """(row, (size, size) in 0..1) of each image, of the first class that the run has maps of (METHOD S1).

    Raises:
        NotFoundError: the run has kept none.
    """
    class_of_map = str(source.run.spec.get("class_of_map", "label"))
    maps = Maps.open(source.id, source.folder, class_of_map, source.table.labels)
    for done, (row, raw) in enumerate(maps.each(maps.classes[0]), 1):
        yield row, heat_map(raw, transform.size)
        source.on_progress(done, len(maps.rows))


def grey(heat: NDArray[np.float32]) -> Image.Image:
    """A heat map (H, W) in 0..1 as an image, 0 to 255."""
    return Image.fromarray(np.rint(heat * 255).astype(np.uint8))


def transform_of(source: Source) -> ImageTransform:
    """How the run's model sees images: of these pixels its maps speak.

    Raises:
        NotFoundError: the model was deleted.
    """
    return ModelResult(source.store.artifacts.folder(str(source.run.spec["model"]))).transform


FORM = Form(
    name="maps-png",
    of=WITH_MAPS,
    title="Heat maps (PNG)",
    about=f"One greyscale image per map, <split>/<row>.png, at the size the model sees; {IMAGES}: which row is which.",
    opens_in="any image viewer, Pillow",
    write=write,
    downloads=False,
)
