"""What an attention pass has left, as several forms read it: its maps in the geometry of the model that made them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import softmax

from slim_core.data.images.heat import heat_map
from slim_core.data.images.transform import ImageTransform
from slim_core.errors import NotFoundError
from slim_core.export.arrays import parts
from slim_core.export.image_list import write_image_list
from slim_core.store.results import AttentionResult, Maps, ModelResult

if TYPE_CHECKING:
    from slim_core.export.form import Source


def maps_of(source: Source) -> Maps:
    """Raw maps, mapped from disk.

    Raises:
        NotFoundError: the run has kept none.
    """
    class_of_map = str(source.run.spec.get("class_of_map", "label"))
    return Maps.open(source.id, source.folder, class_of_map, source.table.labels)


def heat_maps(source: Source, transform: ImageTransform) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """(row, (size, size) in 0..1) of each image, of the first class that the run has maps of (METHOD S1)."""
    return ((row, heat_map(raw, transform.size)) for row, raw in _raw_maps(source))


def _raw_maps(source: Source) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """(row, (U, V)) of each image, of the first class that the run has maps of."""
    maps = maps_of(source)
    for done, (row, raw) in enumerate(maps.each(maps.classes[0]), 1):
        yield row, raw
        source.on_progress(done, len(maps.rows))


def grey(heat: NDArray[np.float32]) -> Image.Image:
    """A heat map (H, W) in 0..1 as an image, 0 to 255."""
    return Image.fromarray(np.rint(heat * 255).astype(np.uint8))


def write_pictures(source: Source, folder: Path, drawn: Callable[[int, NDArray[np.float32]], Image.Image]) -> None:
    """<split>/<row>.png of each map, ``drawn`` of the row and its raw map (U, V), and the list of the images."""
    table, rows = source.table, []
    for row, raw in _raw_maps(source):
        split = folder / str(table.splits[row])
        split.mkdir(exist_ok=True)
        drawn(row, raw).save(split / f"{row}.png")
        rows.append(row)
    write_image_list(table, np.asarray(rows), folder)


def transform_of(source: Source) -> ImageTransform:
    """How the run's model sees images: of these pixels its maps speak.

    Raises:
        NotFoundError: the model was deleted.
    """
    return ModelResult(source.store.artifacts.folder(str(source.run.spec["model"]))).transform


def logits_of(source: Source) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(n,) rows and (n, C) logits, mapped.

    Raises:
        NotFoundError: the run has kept none.
    """
    seen = AttentionResult(source.folder)
    if not seen.has_logits:
        raise NotFoundError(
            f"Run {source.id} has kept no probabilities: evaluate the model again with its attention, or compute its "
            "features."
        )
    return seen.rows, seen.logits


def probabilities(logits: NDArray[np.float32], at: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    """The rows ``at`` of the softmax of logits (n, C), part by part."""
    return (softmax(logits[part].astype(np.float32), axis=1) for part in parts(at))
