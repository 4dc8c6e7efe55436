"""Drawn shapes as a file of COCO and back: `slim import` reads it as masks, and other tools that draw write it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slim_core.data.images.codec import image_size
from slim_core.data.outlines import Drawing
from slim_core.data.table import ImageTable
from slim_core.data.tables import read_json
from slim_core.errors import ShapeRefusedError, quoted
from slim_core.formatting import counted
from slim_core.result_files import write_text
from slim_core.store import Dataset, Shape, Store
from slim_core.store.database import new_id

_NAMED = 3  # images in a sentence


@dataclass(frozen=True)
class ImportedShapes:
    """What a file brought: images that were drawn on, and those that had the same drawing already."""

    n_new: int
    n_same: int


def to_coco(store: Store, dataset: Dataset) -> dict[str, Any]:
    """The shapes that count now: an image and an annotation for each row, with who drew it and when.

    Raises:
        ShapeRefusedError: nothing is drawn on this data set.
    """
    table, shapes = store.datasets.table_of(dataset), store.shapes.all(dataset.id)
    if not shapes:
        raise ShapeRefusedError(f"Nothing is drawn on {dataset.name}: draw on the Draw page first.")
    drawn = [(one, one.drawing) for one in shapes.values() if one.drawing is not None]
    return {
        "info": {"description": f"shapes drawn on {dataset.name}"},
        "categories": [{"id": label, "name": name} for label, name in enumerate(table.label_names)],
        "images": [
            {"id": one.row, "file_name": _name(table, one.row), "width": drawing.width, "height": drawing.height}
            for one, drawing in drawn
        ],
        "annotations": [_annotation(table, one, drawing) for one, drawing in drawn],
    }


def write(store: Store, dataset: Dataset, path: Path, *, overwrite: bool = False) -> int:
    """Write ``to_coco``; returns how many images it holds.

    Raises:
        ShapeRefusedError: nothing is drawn, or the file is there already.
        SpecRefusedError: the file cannot be written.
    """
    content = to_coco(store, dataset)
    if path.exists() and not overwrite:
        raise ShapeRefusedError(f"{path} is there already: name another file, or add --overwrite.")
    write_text(path, json.dumps(content))
    return len(content["images"])


def read(store: Store, dataset: Dataset, path: Path, by: str = "local") -> ImportedShapes:
    """Draw what a file of COCO holds, all its polygons of an image together; all of it is checked first.

    Raises:
        ShapeRefusedError: it is missing; or names an image that the data set has not, of another size, twice or only
            in an annotation; or what is no polygon.
        FormatRefusedError: it is no JSON.
    """
    table, now = store.datasets.table_of(dataset), store.shapes.drawings(dataset.id)
    found = dict(_drawings(table, path))
    new = {row: drawing for row, drawing in found.items() if now.get(row) != drawing}
    for row, drawing in new.items():
        size = drawing.width, drawing.height
        store.shapes.keep(dataset.id, row, drawing.polygons, size, id=new_id("s"), by=by)
    return ImportedShapes(len(new), len(found) - len(new))


def _name(table: ImageTable, row: int) -> str:
    return str(table.frame["path"].iat[row])


def _annotation(table: ImageTable, shape: Shape, drawing: Drawing) -> dict[str, Any]:
    return {
        "id": shape.seq,
        "image_id": shape.row,
        "category_id": int(table.labels[shape.row]),
        "segmentation": [[value for corner in each for value in corner] for each in drawing.polygons],
        "bbox": list(drawing.box()),
        "area": int(drawing.mask().sum()),
        "iscrowd": 0,
        "drawn_by": shape.drawn_by,
        "drawn_at": shape.drawn_at.isoformat(),
    }


def _drawings(table: ImageTable, path: Path) -> Iterator[tuple[int, Drawing]]:
    """(row, drawing) of each image of the file that has polygons."""
    if not os.path.isfile(path):
        raise ShapeRefusedError(f"{quoted(str(path))} is no file: give a file of COCO.")
    content = read_json(path)
    images, annotations = (content.get(key) if isinstance(content, dict) else None for key in ("images", "annotations"))
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise ShapeRefusedError(f"{path.name} lacks a list of images or of annotations: give a file of COCO.")
    polygons: dict[Any, list[Any]] = {}
    for one in annotations:
        of, parts = (one.get(key) if isinstance(one, dict) else None for key in ("image_id", "segmentation"))
        if not isinstance(of, int | str) or not isinstance(parts, list) or not all(map(_is_even, parts)):
            raise ShapeRefusedError(f"{path.name}: the annotation {quoted(one)} has no polygons of an image.")
        polygons.setdefault(of, []).extend([each[i : i + 2] for i in range(0, len(each), 2)] for each in parts)
    named = [one for one in images if _id_of(one) in polygons]
    _require_each_once(path, named, polygons)
    for image, row in _rows(table, path, named):
        width, height = image_size(table.image_path(row))
        given = image.get("width", width), image.get("height", height)
        if given != (width, height):
            raise ShapeRefusedError(
                f"{path.name} says that {image['file_name']} has {given[0]} x {given[1]} pixels, and it has "
                f"{width} x {height}: draw on the image itself."
            )
        yield row, Drawing.checked(width, height, polygons[image["id"]])


def _require_each_once(path: Path, named: list[dict[str, Any]], polygons: Mapping[Any, object]) -> None:
    """Refuse polygons that would be drawn nowhere, or on an image that they may not be of."""
    ids, files = Counter(one["id"] for one in named), Counter(str(one.get("file_name")) for one in named)
    if lost := [quoted(of) for of in polygons if of not in ids]:
        raise ShapeRefusedError(f"{path.name} has polygons of an image {lost[0]} that it does not list: add it.")
    if twice := [quoted(one) for one, n in (ids + files).items() if n > 1]:
        raise ShapeRefusedError(f"{path.name} lists {twice[0]} more than once among its images: list each once.")


def _id_of(image: object) -> int | str | None:
    found = image.get("id") if isinstance(image, dict) else None
    return found if isinstance(found, int | str) else None


def _is_even(polygon: object) -> bool:
    return isinstance(polygon, list) and len(polygon) % 2 == 0


def _rows(table: ImageTable, path: Path, images: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """(image, row) of each, by its path in the data set.

    Raises:
        ShapeRefusedError: the data set has none of this path.
    """
    row_of = {name: row for row, name in enumerate(table.frame["path"])}
    unknown = [name for one in images if (name := str(one.get("file_name"))) not in row_of]
    if unknown:
        named = ", ".join(unknown[:_NAMED]) + (", ..." if len(unknown) > _NAMED else "")
        raise ShapeRefusedError(
            f"{path.name} names {counted(len(unknown), 'image')} that {table.name} does not have ({named}): "
            f"file_name must be the path below {table.root}."
        )
    return [(one, row_of[str(one["file_name"])]) for one in images]
