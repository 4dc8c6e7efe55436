"""Raw attention maps as arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from slim_core.export.attention import maps_of
from slim_core.export.form import Form, Source
from slim_core.export.image_list import IMAGES, write_image_list
from slim_core.store.runs.kinds import WITH_MAPS

FILE = "maps.npz"


def write(source: Source, folder: Path) -> None:
    """maps.npz with rows (n,), labels (n,), maps_label or maps_predicted (n, U, V), and class_maps (n, C, U, V)."""
    maps = maps_of(source)
    arrays: dict[str, Any] = {f"maps_{name}": array for name, array in maps.files.items()}
    if maps.of_classes is not None:
        arrays["class_maps"] = maps.of_classes
    np.savez(folder / FILE, rows=maps.rows, labels=maps.labels, **arrays)  # NumPy writes mapped arrays piece by piece
    write_image_list(source.table, maps.rows, folder)


FORM = Form(
    name="maps-npz",
    of=WITH_MAPS,
    title="Raw maps (NumPy)",
    about=f"{FILE}: the raw maps, the rows and labels of their images; {IMAGES}: the images in the same order.",
    opens_in="numpy.load",
    write=write,
)
