"""Draws one image of a data set, with or without where a model looks. All kinds share the network's geometry."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from app import session
from slim_core.attention.thumbnails import Thumbnails
from slim_core.data.images import empty_map
from slim_core.data.images.codec import encode
from slim_core.data.images.heat import coloured, heat_map, overlay, veil
from slim_core.data.images.masks import load_mask
from slim_core.data.images.transform import ImageTransform, load_picture, load_whole
from slim_core.data.table import ImageTable
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store.results import LABEL, Maps, ModelResult
from slim_core.store.runs.kinds import WITH_MAPS

PLAIN = ImageTransform(resize_ratio=1.0)  # no run named: the centre square of the whole image
OPACITY = 0.5  # of a map over its image, where none is asked for
CONTOUR_AT = 0.5  # of the map's maximum
CONTOUR_COLOUR = (230, 159, 0)  # Okabe-Ito orange
DIMMED = 0.25  # brightness outside the true mask


@dataclass(frozen=True)
class Picture:
    """A row at ``size`` px a side; ``run``: the gradcam run whose geometry and maps are used.

    The reader is shown the data set, which is ``run``'s: whoever makes one has looked that up.
    """

    table: ImageTable
    row: int
    size: int
    run: str | None
    map_of: str = "label"
    opacity: float = OPACITY

    def encoded(self, kind: str) -> tuple[bytes, str]:
        """The picture of one kind (see app/server.py) and its media type: the kept JPEG where it serves, else WebP."""
        kept = self._kept() if kind == "image" else None
        if kept is not None:
            return kept, "image/jpeg"
        return encode(self._drawn(kind), "webp", 85), "image/webp"

    def _drawn(self, kind: str) -> np.ndarray:
        """(size, size, 3) uint8; (size, size, 4): a veil, and transparent but for a label what is empty.

        A whole image keeps its shape: (h, w, 3), the longer side ``size`` at most.
        """
        match kind:
            case "image":
                return self._image()
            case "whole":
                return load_whole(self.table.image_path(self.row), self.size)
            case "overlay":
                return empty_map.labelled(self._image()) if self._is_empty else self._under_its_map()
            case "heat" | "veil" if self._is_empty:  # pages lay them over the image, which has to stay visible
                return empty_map.label_alone(self.size)
            case "heat":
                return coloured(self._map())
            case "veil":
                return veil(self._map())
            case "contour":
                return self._contour()
            case "mask":
                return self._mask()
        raise SpecRefusedError(f"There is no picture of kind {kind!r}.")

    @property
    def _transform(self) -> ImageTransform:
        """The evaluation geometry, drawn at our size: the same crop at any resolution."""
        base = PLAIN if self.run is None else _transform(self.run)
        return dataclasses.replace(base, size=self.size)

    def _kept(self) -> bytes | None:
        """The thumbnail the worker made, where it is large enough."""
        pack = None if self.run is None else _thumbnails(_folder(self.run))
        return None if pack is None else pack.read(self.row, self.size)

    def _image(self) -> np.ndarray:
        kept = self._kept()
        if kept is None:
            return load_picture(self.table.image_path(self.row), self._transform)
        with Image.open(io.BytesIO(kept)) as small:
            return np.asarray(small.convert("RGB").resize((self.size, self.size), Image.Resampling.BILINEAR))

    @property
    def _raw_map(self) -> np.ndarray:
        """(U, V)."""
        assert self.run is not None  # the route refuses map kinds without a run
        return _open_maps(self.run, _folder(self.run)).of(self.row, self.map_of)

    @property
    def _is_empty(self) -> bool:
        return empty_map.is_empty(self._raw_map)

    def _map(self) -> np.ndarray:
        """(size, size) float32 in 0..1."""
        return heat_map(self._raw_map, self.size)

    def _under_its_map(self) -> np.ndarray:
        return overlay(self._image(), self._map(), self.opacity)

    def _contour(self) -> np.ndarray:
        if self._is_empty:
            return empty_map.labelled(self._image())
        pixels, inside = self._image().copy(), self._map() >= CONTOUR_AT
        pixels[_edge(inside, width=max(1, self.size // 96))] = CONTOUR_COLOUR
        return pixels

    def _mask(self) -> np.ndarray:
        mask = load_mask(self.table, self.row, self._transform)
        if mask is None:
            raise NotFoundError(
                f"Image {self.row} of {self.table.name} has no mask: draw one, or import the data with masks."
            )
        return (self._image() * np.where(mask > 0, 1.0, DIMMED)[..., None]).astype(np.uint8)


@lru_cache(maxsize=1_000)
def dataset_of(run_id: str) -> str | None:
    """The data set whose images a run shows; a run never changes it.

    Raises:
        NotFoundError: there is no such run.
    """
    return session.store().runs.fetch(run_id).dataset_id


def _folder(run_id: str) -> Path:
    """The folder of a run whose data set the reader is shown: asked once for an image, not for each of its files."""
    return session.whole_store().artifacts.folder(run_id)


@lru_cache(maxsize=16)
def _thumbnails(folder: Path) -> Thumbnails | None:
    """The pack of a finished run: an index mapped from disk, no picture in memory."""
    return Thumbnails.find(folder)


def open_maps(run_id: str) -> Maps:
    """The attention maps of a finished run.

    Raises:
        NotFoundError: it kept none.
    """
    return _open_maps(run_id, session.store().artifacts.folder(run_id))


@lru_cache(maxsize=16)
def _open_maps(run_id: str, folder: Path) -> Maps:
    """Mapped from disk once; a finished run never changes."""
    store = session.store()
    run = store.runs.fetch(run_id)
    if run.kind not in (*WITH_MAPS, "preview"):
        raise NotFoundError(f"Run {run_id} has no attention maps: name a finished gradcam run.")
    labels = store.datasets.table(run.dataset_id).labels
    return Maps.open(run_id, folder, run.spec.get("class_of_map", LABEL), labels)


@lru_cache(maxsize=64)
def _transform(run_id: str) -> ImageTransform:
    """How the model of a gradcam run sees images."""
    store = session.store()
    model = store.runs.fetch(run_id).spec.get("model")
    if not isinstance(model, str):
        raise NotFoundError(f"Run {run_id} has no attention maps. Name a gradcam run.")
    return ModelResult(store.artifacts.folder(model)).transform


def _edge(inside: np.ndarray, width: int) -> np.ndarray:
    """(H, W) bool: the pixels of a region within ``width`` px of its outside."""
    core = inside
    for _ in range(width):
        padded = np.pad(core, 1, mode="edge")
        core = core & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    outermost: np.ndarray = inside & ~core
    return outermost
