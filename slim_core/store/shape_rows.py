"""One row of the drawn shapes, which of them count, and which come along to a new version of a data set.

They come along on the images whose content is what it was when they were drawn. An image is known again by its path,
and by its content where it has moved: in class folders a relabelled image has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.data.images.codec import content_of
from slim_core.data.outlines import Drawing
from slim_core.data.report import Finding
from slim_core.data.table import ImageTable
from slim_core.errors import ImageRefusedError
from slim_core.formatting import counted
from slim_core.store import schema
from slim_core.store.database import new_id

_t = schema.shapes


@dataclass(frozen=True)
class Shape:
    """What one person drew on one image; without a drawing: that what was drawn before counts no more."""

    seq: int
    id: str
    row: int
    drawing: Drawing | None
    drawn_by: str
    drawn_at: datetime
    content: str | None = None  # of the image's file then (images.content_of); None where it was not kept


def newest_seq(connection: Connection, dataset_id: str) -> int:
    """Number of the newest shape of a data set; 0 where there is none."""
    query = sa.select(sa.func.max(_t.c.seq)).where(_t.c.dataset_id == dataset_id)
    return connection.execute(query).scalar() or 0


def newest_shapes(connection: Connection, dataset_id: str, seq: int | None = None) -> dict[int, Shape]:
    """Row -> what counts on it, now or after shape ``seq``, by row; without images whose shapes were removed."""
    last = sa.select(sa.func.max(_t.c.seq)).where(_t.c.dataset_id == dataset_id).group_by(_t.c.row)
    last = last if seq is None else last.where(_t.c.seq <= seq)
    found = connection.execute(sa.select(_t).where(_t.c.seq.in_(last)).order_by(_t.c.row)).mappings()
    shapes = [shape_of(row) for row in found]
    return {one.row: one for one in shapes if one.drawing is not None}


def newest_shape(connection: Connection, dataset_id: str, row: int) -> Shape | None:
    """The newest of an image, also one that removes."""
    query = sa.select(_t).where(_t.c.dataset_id == dataset_id, _t.c.row == row).order_by(_t.c.seq.desc()).limit(1)
    found = connection.execute(query).mappings().first()
    return None if found is None else shape_of(found)


def shape_of(row: Mapping[Any, Any]) -> Shape:
    """A row of the table."""
    polygons = tuple(tuple((float(x), float(y)) for x, y in each) for each in row["polygons"])
    drawing = Drawing(row["width"], row["height"], polygons) if polygons else None
    about = {name: row[name] for name in ("seq", "id", "row", "drawn_by", "drawn_at", "content")}
    return Shape(**about, drawing=drawing)


NAMED = 3  # images in the sentence
LISTED = 100  # images that the finding opens
CODE = "carried-shapes"  # of the finding


@dataclass(frozen=True)
class Carried:
    """What comes along of the drawings of the version ``source``."""

    source: str = ""
    shapes: Mapping[int, Shape] = field(default_factory=dict)  # by the rows of the new table
    left: tuple[str, ...] = ()  # paths of the images whose drawings stay behind
    seq: int = 0  # of the newest that was looked at

    def findings(self) -> tuple[Finding, ...]:
        """How many came along and how many did not, as a finding of the new version; none where nothing was drawn."""
        n, n_left = len(self.shapes), len(self.left)
        if not n + n_left:
            return ()
        were, of_version = "was" if n == 1 else "were", f"of the version {self.source}"
        if not n_left:
            images = "its image is" if n == 1 else "their images are"
            text = f"{counted(n, 'drawing')} {of_version} {were} carried over: {images} unchanged."
            return (Finding("note", CODE, text),)
        named = ", ".join(self.left[:NAMED]) + (", ..." if n_left > NAMED else "")
        images = "the image of the other one is" if n_left == 1 else f"the images of the other {n_left:,} are"
        text = f"{n:,} of {counted(n + n_left, 'drawing')} {of_version} {were} carried over; {images} gone or changed "
        return (Finding("warning", CODE, f"{text}({named}).", count=n_left, paths=self.left[:LISTED]),)


def carried(source: str, old: ImageTable, new: ImageTable, shapes: Mapping[int, Shape]) -> Carried:
    """What of the shapes of ``old``, the version ``source``, is drawn on images that ``new`` has too."""
    row_of = {path: row for row, path in reversed([*enumerate(new.frame["path"])])}  # the first of a path
    found: dict[int, Shape] = {}
    others: dict[str, Shape] = {}
    for shape in shapes.values():
        path = str(old.frame["path"].iat[shape.row])
        row = row_of.get(path)
        if row is not None and _is_unchanged(new.image_path(row), shape):
            found[row] = shape
        else:
            others[path] = shape
    moved = _moved(new, [row for row in range(len(new)) if row not in found], others.values()) if others else {}
    known = {shape.id for shape in moved.values()}
    return Carried(source, found | moved, tuple(path for path, shape in others.items() if shape.id not in known))


def insert(connection: Connection, dataset_id: str, shapes: Mapping[int, Shape]) -> None:
    """Draw them on the rows of a data set, as by whom and when they were drawn."""
    if shapes:
        rows = [_values(dataset_id, row, shape) for row, shape in sorted(shapes.items())]
        connection.execute(schema.shapes.insert(), rows)


def _values(dataset_id: str, row: int, shape: Shape) -> dict[str, Any]:
    assert shape.drawing is not None  # only what counts comes along
    return {
        "id": new_id("s"),
        "dataset_id": dataset_id,
        "row": row,
        "width": shape.drawing.width,
        "height": shape.drawing.height,
        "polygons": shape.drawing.polygons,
        "content": shape.content,
        "drawn_by": shape.drawn_by,
        "drawn_at": shape.drawn_at,
    }


def _is_unchanged(path: Path, shape: Shape) -> bool:
    """By content; that of a file that could not be read when it was drawn on is not known."""
    return shape.content is not None and _content(path) == shape.content


def _moved(new: ImageTable, rows: Iterable[int], shapes: Iterable[Shape]) -> dict[int, Shape]:
    """Row -> the shape that was drawn on its content; only files of the same size are read."""
    wanted = {shape.content: shape for shape in shapes if shape.content}
    sizes = {int(content.partition("-")[0]) for content in wanted}
    found: dict[int, Shape] = {}
    for row in rows:
        if not wanted:
            break
        path = new.image_path(row)
        if _n_bytes(path) in sizes and (shape := wanted.pop(_content(path) or "", None)) is not None:
            found[row] = shape
    return found


def _content(path: Path) -> str | None:
    try:
        return content_of(path)
    except ImageRefusedError:
        return None


def _n_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
