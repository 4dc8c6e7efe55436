"""Attention maps as grey images."""

from __future__ import annotations

from pathlib import Path

from slim_core.data.images.heat import heat_map
from slim_core.export.attention import grey, transform_of, write_pictures
from slim_core.export.form import Form, Source
from slim_core.export.image_list import IMAGES
from slim_core.store.runs.kinds import WITH_MAPS


def write(source: Source, folder: Path) -> None:
    """<split>/<row>.png: (size, size) grey, 0 to 255, in the geometry in which the model sees the image."""
    size = transform_of(source).size
    write_pictures(source, folder, lambda _row, raw: grey(heat_map(raw, size)))


FORM = Form(
    name="maps-png",
    of=WITH_MAPS,
    title="Heat maps (PNG)",
    about=f"One greyscale image per map, <split>/<row>.png, at the size the model sees; {IMAGES}: which row is which.",
    opens_in="any image viewer, Pillow",
    write=write,
    downloads=False,
)
