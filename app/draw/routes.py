"""What the drawing page asks of the server: an image with what is drawn on it, and the keeping of a drawing."""

from __future__ import annotations

import reprlib
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import session
from app.routes.guard import guarded
from app.services import shape_progress
from app.session import Viewer
from slim_core.data.images.codec import image_size
from slim_core.data.table import SPLITS, ImageTable
from slim_core.errors import NotFoundError, ShapeRefusedError

MAX_TEXT = 80  # letters of an id


@guarded("annotator")
def image(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/shapes/image: what the page says of an image, and the newest that was drawn on it."""
    dataset, table, row = _image(body, viewer)
    width, height = image_size(table.image_path(row))
    shape = session.store().shapes.find(dataset, row)
    drawing = None if shape is None else shape.drawing
    about = {
        "row": row,
        "width": width,
        "height": height,
        "label": table.label_names[table.labels[row]],
        "group": _group(table, row),
        "split": str(table.splits[row]),
        "masked": bool(table.has_mask[row]),
        "polygons": [] if drawing is None else drawing.polygons,
        "seq": 0 if shape is None else shape.seq,
        "by": "" if shape is None or drawing is None else shape.drawn_by,
    }
    return JSONResponse(about)


@guarded("annotator")
def shapes(request: Request, viewer: Viewer, body: dict[str, Any]) -> Response:  # noqa: ARG001
    """POST /api/shapes: keep what was drawn on an image; no polygons take away what counts there."""
    dataset, table, row = _image(body, viewer)
    given, split, after = body.get("id"), body.get("split"), body.get("after", 0)
    if not isinstance(given, str) or split not in SPLITS or isinstance(after, bool) or not isinstance(after, int):
        raise ShapeRefusedError("A drawing has an id, a split and the number of the one before: reload the page.")
    kept = session.store().shapes.keep(
        dataset,
        row,
        body.get("polygons"),
        image_size(table.image_path(row)),
        id=given,
        by=viewer.name,
        after=after,
        member=session.signs_in(),
    )
    overtaken = None if kept.overtaken is None else kept.overtaken.drawn_by
    progress = shape_progress.coverage(dataset, split).wire()
    return JSONResponse({"seq": kept.shape.seq, "overtaken": overtaken, "progress": progress})


def _group(table: ImageTable, row: int) -> str:
    """Class and attribute by name; "" where the attribute is not known."""
    attribute = int(table.attributes[row])
    return "" if attribute < 0 else f"{table.label_names[table.labels[row]]}, {table.attribute_names[attribute]}"


def _image(body: dict[str, Any], viewer: Viewer) -> tuple[str, ImageTable, int]:
    """The data set that is named, where the token reaches it; its table, and the row."""
    dataset, row = body.get("dataset"), body.get("row")
    if not isinstance(dataset, str) or not 1 <= len(dataset) <= MAX_TEXT:
        raise ShapeRefusedError("Name the data set: reload the page.")
    viewer.require_dataset(dataset)
    table = session.store().datasets.table(dataset)
    if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < len(table):
        raise NotFoundError(f"{table.name} has no image {reprlib.repr(row)}: its rows are 0..{len(table) - 1}.")
    return dataset, table, row
