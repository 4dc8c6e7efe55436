"""Images, masks and attention maps by address: the worker's thumbnails where they serve, else drawn on request.

Browsers keep them, a page never does.
"""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from app import session
from app.access import Viewer
from app.routes.base_path import below
from app.routes.guard import guarded, tagged
from app.routes.pictures import OPACITY, Picture, dataset_of
from slim_core.data.images.codec import ImageMissingError
from slim_core.errors import NotFoundError, SpecRefusedError

KINDS = ("image", "whole", "overlay", "heat", "veil", "mask", "contour")
MAP_KINDS = ("overlay", "heat", "veil", "contour")
MIN_SIZE, MAX_SIZE = 16, 1024
DRAWN = 3  # raised when the same map is drawn in another way
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
