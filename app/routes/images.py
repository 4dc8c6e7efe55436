"""Images, masks and attention maps by address: the worker's thumbnails where they serve, else drawn on request.

Browsers keep them, a page never does. All kinds share the network's geometry: what it crops, or the whole image.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from app import session
from app.routes.assets import below
from app.routes.guard import guarded, tagged
from app.session import Viewer
from slim_core.attention.thumbnails import Thumbnails
from slim_core.data.images import heat
from slim_core.data.images.codec import (
    ImageMissingError,
    ImageTransform,
    encode,
    image_size,
    load_picture,
    load_square,
    load_whole,
)
from slim_core.data.images.heat import coloured, heat_map, overlay, veil
from slim_core.data.table import ImageTable, load_mask
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store.results import LABEL, Maps, ModelResult
from slim_core.store.runs.rows import WITH_MAPS

PLAIN = ImageTransform(fit="pad")  # no run named: the whole image
OPACITY = 0.5  # of a map over its image, where none is asked for
CONTOUR_AT = 0.5  # of the map's maximum
CONTOUR_COLOUR = (230, 159, 0)  # Okabe-Ito orange
DIMMED = 0.25  # brightness outside the true mask
KINDS = ("image", "whole", "square", "overlay", "heat", "veil", "mask", "contour")
MAP_KINDS = ("overlay", "heat", "veil", "contour")
MIN_SIZE, MAX_SIZE = 16, 1024
DRAWN = 4  # raised when the same map is drawn in another way
ROW = "ROW"  # placeholder for the row in an address that the browser completes


def image_url(
    dataset: str,
    row: int | str,
    token: str,
    *,
    size: int = 96,
    kind: str = "image",
    run: str | None = None,
    map_of: str = "label",
    opacity: float = OPACITY,
) -> str:
    """Address of a row's image, or of its overlay, heat map, contour (of a gradcam ``run``) or true mask.

    ``row``: ROW for an address of which the browser makes those of many images.
    """
    query = {"size": size, "kind": kind, "token": token}
    if run is not None:
        query |= {"run": run, "map_of": map_of, "opacity": opacity}
    return below(f"/api/image/{dataset}/{row}?{urlencode(query)}")


@guarded("viewer")
def image(request: Request, viewer: Viewer, body: dict[str, object]) -> Response:  # noqa: ARG001
    """GET /api/image/{dataset}/{row}: WebP or JPEG with an ETag made of all that the pixels depend on."""
    dataset, row = request.path_params["dataset"], request.path_params["row"]
    viewer.require_dataset(dataset)
    query = request.query_params
    kind, run, map_of = query.get("kind", "image"), query.get("run"), query.get("map_of", "label")
    size, opacity = _number(query.get("size", "96"), "size"), _number(query.get("opacity", OPACITY), "opacity")
    if kind not in KINDS or not MIN_SIZE <= size <= MAX_SIZE or not 0 <= opacity <= 1:
        raise SpecRefusedError(f"kind is one of {', '.join(KINDS)}, size {MIN_SIZE}..{MAX_SIZE}, opacity 0..1.")
    table = session.store().datasets.table(dataset)
    if not 0 <= row < len(table):
        raise NotFoundError(f"{table.name} has no image {row}: its rows are 0..{len(table) - 1}.")
    if kind in MAP_KINDS and run is None:
        raise SpecRefusedError(f"kind={kind} needs run=<id of a gradcam run>.")
    if run is not None and dataset_of(run) != dataset:  # its maps and thumbnails show images of another one
        raise NotFoundError(f"No run {run} of this data set here: reload the page.")
    key: tuple[object, ...] = (DRAWN, table.fingerprint, row, kind, run, map_of, size, opacity)
    if kind == "mask" and (shape := session.store().shapes.find(dataset, row)) is not None:
        key = (*key, shape.seq)
        table = table if shape.drawing is None else table.with_drawn({row: shape.drawing})
    etag = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
    draw = Picture(table, row, int(size), run, map_of, opacity)
    try:
        return tagged(request, etag, lambda: draw.encoded(kind), immutable=kind != "mask")
    except ImageMissingError as error:  # the page shows a neutral tile, with this reason where it can
        raise NotFoundError(str(error)) from error


def _number(text: str | float, name: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise SpecRefusedError(f"{name} is a number, not {text!r}.") from error


@dataclass(frozen=True)
class Picture:
    """A row at ``size`` px a side; ``run``: the gradcam run of this data set whose geometry and maps are used."""

    table: ImageTable
    row: int
    size: int
    run: str | None
    map_of: str = "label"
    opacity: float = OPACITY

    def encoded(self, kind: str) -> tuple[bytes, str]:
        """The picture of one kind (see app/server.py) and its media type: the kept JPEG where it serves, else WebP."""
        kept = self._kept() if kind == "image" or (kind == "square" and self._transform.fit == "crop") else None
        if kept is not None:
            return kept, "image/jpeg"
        return encode(self._drawn(kind), "webp", 85), "image/webp"

    def _drawn(self, kind: str) -> np.ndarray:
        """(h, w, 3) uint8, ``size`` px long; (h, w, 4): a veil, and transparent but for a label what is empty."""
        match kind:
            case "image":
                return self._image()
            case "whole":
                return load_whole(self.table.image_path(self.row), self.size)
            case "square":
                return load_square(self.table.image_path(self.row), self._transform, self.size)
            case "overlay":
                return heat.labelled(self._image()) if self._is_empty else self._under_its_map()
            case "heat" | "veil" if self._is_empty:  # pages lay them over the image, which has to stay visible
                return heat.label_alone(*self._shape)
            case "heat":
                return coloured(self._map(self._shape))
            case "veil":
                return veil(self._map(self._shape))
            case "contour":
                return self._contour()
            case "mask":
                return self._mask()
        raise SpecRefusedError(f"There is no picture of kind {kind!r}.")

    @property
    def _transform(self) -> ImageTransform:
        """The evaluation geometry, drawn at our size: the same at any resolution."""
        base = PLAIN if self.run is None else _transform(self.run)
        return dataclasses.replace(base, size=self.size)

    @property
    def _shape(self) -> tuple[int, int]:
        """Width and height, where no image is drawn that has them."""
        if self._transform.fit == "crop":
            return self.size, self.size
        return self._transform.picture_size(image_size(self.table.image_path(self.row)))

    def _kept(self) -> bytes | None:
        """The thumbnail the worker made, where it is large enough."""
        pack = None if self.run is None else _thumbnails(_folder(self.run))
        return None if pack is None else pack.read(self.row, self.size)

    def _image(self) -> np.ndarray:
        kept = self._kept()
        if kept is None:
            return load_picture(self.table.image_path(self.row), self._transform)
        with Image.open(io.BytesIO(kept)) as small:
            return np.asarray(
                small.convert("RGB").resize(self._transform.picture_size(small.size), Image.Resampling.BILINEAR)
            )

    @property
    def _raw_map(self) -> np.ndarray:
        """(U, V)."""
        assert self.run is not None  # the route refuses map kinds without a run
        return _open_maps(self.run, _folder(self.run)).of(self.row, self.map_of)

    @property
    def _is_empty(self) -> bool:
        return heat.is_empty_map(self._raw_map)

    def _map(self, shape: tuple[int, int]) -> np.ndarray:
        """(h, w) float32 in 0..1, of a width and height."""
        return self._transform.over_picture(heat_map(self._raw_map, self.size), shape)

    def _under_its_map(self) -> np.ndarray:
        pixels = self._image()
        return overlay(pixels, self._map(pixels.shape[1::-1]), self.opacity)

    def _contour(self) -> np.ndarray:
        if self._is_empty:
            return heat.labelled(self._image())
        pixels = self._image().copy()
        inside = self._map(pixels.shape[1::-1]) >= CONTOUR_AT
        pixels[_edge(inside, width=max(1, self.size // 96))] = CONTOUR_COLOUR
        return pixels

    def _mask(self) -> np.ndarray:
        mask = load_mask(self.table, self.row, self._transform)
        if mask is None:
            raise NotFoundError(
                f"Image {self.row} of {self.table.name} has no mask: draw one, or import the data with masks."
            )
        pixels = self._image()
        inside = self._transform.over_picture(mask, pixels.shape[1::-1]) >= 0.5
        return (pixels * np.where(inside, 1.0, DIMMED)[..., None]).astype(np.uint8)


@lru_cache(maxsize=1_000)
def dataset_of(run_id: str) -> str | None:
    """The data set whose images a run shows; a run never changes it.

    Raises:
        NotFoundError: there is no such run.
    """
    return session.store().runs.fetch(run_id).dataset_id


def _folder(run_id: str) -> Path:
    """The folder of a run's artifacts."""
    return session.store().artifacts.folder(run_id)


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
