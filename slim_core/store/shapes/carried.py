"""Drawings come along to a new version of a data set, on the images whose content is what it was when they were drawn.

An image is known again by its path, and by its content where it has moved: in class folders a relabelled image has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from slim_core.data.images.codec import content_of
from slim_core.data.report import Finding
from slim_core.data.table import ImageTable
from slim_core.errors import ImageRefusedError
from slim_core.formatting import counted
from slim_core.store import schema
from slim_core.store.database import new_id
from slim_core.store.shapes.rows import Shape, newest_shapes

NAMED = 3  # images in the sentence
LISTED = 100  # images that the finding opens
CODE = "carried-shapes"  # of the finding


@dataclass(frozen=True)
class Carried:
    """What comes along of the drawings of the version ``source``."""

    source: str = ""
    shapes: Mapping[int, Shape] = field(default_factory=dict)  # by the rows of the new table
    left: tuple[str, ...] = ()  # paths of the images whose drawings stay behind

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


def drawn_last(connection: Connection, versions: Sequence[str]) -> tuple[str, dict[int, Shape]]:
    """The first of these data sets that was drawn on, and what counts there; ("", {}) where none was."""
    drawn = ((version, newest_shapes(connection, version)) for version in versions)
    return next(((version, shapes) for version, shapes in drawn if shapes), ("", {}))


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
