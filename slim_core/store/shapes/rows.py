"""One row of the drawn shapes, and which of them count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.data.outlines import Drawing
from slim_core.store import schema

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
