"""What people drew on images: append-only, the newest of an image counts (docs/decisions/0006)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.data.images.codec import content_of
from slim_core.data.outlines import Drawing
from slim_core.data.table import ImageTable
from slim_core.errors import (
    ConflictError,
    DataRefusedError,
    ImageRefusedError,
    NotFoundError,
    ShapeRefusedError,
    quoted,
)
from slim_core.store import schema
from slim_core.store.database import Database
from slim_core.store.datasets import Dataset, Datasets, hold_dataset, versions_of
from slim_core.store.events import Events
from slim_core.store.members import require_role
from slim_core.store.shape_rows import (
    Shape,
    newest_seq,
    newest_shape,
    newest_shapes,
    shape_of,
)

MOST_IMAGES = 2_000  # of a data set: enough for an interval of 2 points; masks of whole data sets come with the data
MOST_VERSIONS = 200  # of an image
MAX_ID = 80  # letters
SCORED = ("gradcam", "evaluate")  # kinds of runs that compare attention with what was drawn
_t = schema.shapes


@dataclass(frozen=True)
class SavedDrawing:
    """A drawing that was kept. ``overtaken``: what somebody else drew since the page had loaded the image."""

    shape: Shape
    overtaken: Shape | None = None


class Shapes:
    """The drawn shapes of every data set."""

    def __init__(self, database: Database, events: Events, datasets: Datasets) -> None:
        self._database, self._events, self._datasets = database, events, datasets

    def keep(
        self,
        dataset_id: str,
        row: int,
        polygons: Any,
        size: tuple[int, int],
        *,
        id: str,
        by: str = "local",
        after: int = 0,
        member: bool = False,
    ) -> SavedDrawing:
        """Keep what was drawn on an image, or with no polygons that nothing counts there. The same id is kept once.

        Args:
            dataset_id: whose image.
            row: which image.
            polygons: [[[x, y], ...], ...] in pixels of the file; none removes.
            size: (width, height) of the file in pixels.
            id: of this drawing, chosen by who sends it.
            by: who drew it.
            after: the newest ``seq`` of this image that they have seen; one by somebody else beyond it is named.
            member: ``by`` is an e-mail, whose role must allow to annotate.

        Raises:
            NotFoundError: there is no such data set, or it has no such row.
            ForbiddenError: the role of ``by`` does not allow it.
            ShapeRefusedError: what was drawn is no shape, the id is none, or there are too many.
            ConflictError: a newer version of the data set was registered.
        """
        drawing = Drawing.checked(*size, polygons) if polygons else None
        dataset = self._datasets.fetch(dataset_id)
        _require_row(dataset, row)
        _require_id(id)
        content = self._content(dataset_id, row)
        with self._database.write() as connection:
            hold_dataset(connection, dataset_id, alone=True)  # numbers follow the order in which they are committed
            if member:
                require_role(connection, by, "annotator")
            _require_newest(connection, dataset)
            again = _find(connection, id, dataset_id, row)
            if again is not None:
                return SavedDrawing(again)
            before = newest_shape(connection, dataset_id, row)
            is_empty = before is None or before.drawing is None
            if drawing is None and is_empty:
                raise ShapeRefusedError(f"Nothing is drawn on image {row}: there is nothing to remove.")
            _require_room(connection, dataset_id, row, is_new=is_empty)
            self._insert(connection, dataset_id, row, drawing, size, id, by, content)
            kept = newest_shape(connection, dataset_id, row)
        assert kept is not None  # it was inserted just now
        return SavedDrawing(kept, before if before and before.seq > after and before.drawn_by != by else None)

    def find(self, dataset_id: str, row: int) -> Shape | None:
        """The newest of an image, also one that removes; None where nobody has drawn on it."""
        with self._database.read() as connection:
            return newest_shape(connection, dataset_id, row)

    def newest(self, dataset_id: str) -> int:
        """Number of the newest shape of a data set; 0 where there is none."""
        with self._database.read() as connection:
            return newest_seq(connection, dataset_id)

    def all(self, dataset_id: str, seq: int | None = None) -> dict[int, Shape]:
        """Row -> what counts on it, now or after shape ``seq``, by row; without images whose shapes were removed."""
        with self._database.read() as connection:
            return newest_shapes(connection, dataset_id, seq)

    def drawings(self, dataset_id: str, seq: int | None = None) -> dict[int, Drawing]:
        """Row -> the drawing that counts on it, as ``all``."""
        return {row: one.drawing for row, one in self.all(dataset_id, seq).items() if one.drawing is not None}

    def on(self, dataset_id: str, table: ImageTable) -> ImageTable:
        """The table of a data set with what counts now; itself where nothing was drawn."""
        drawn = self.drawings(dataset_id)
        return table.with_drawn(drawn) if drawn else table

    def _content(self, dataset_id: str, row: int) -> str | None:
        """What a new version of the data set knows the image's file by; None where it cannot be read."""
        try:
            return content_of(self._datasets.table(dataset_id).image_path(row))
        except (DataRefusedError, ImageRefusedError):
            return None

    def _insert(
        self,
        connection: Connection,
        dataset_id: str,
        row: int,
        drawing: Drawing | None,
        size: tuple[int, int],
        id: str,
        by: str,
        content: str | None,
    ) -> None:
        values = {
            "id": id,
            "dataset_id": dataset_id,
            "row": row,
            "width": size[0],
            "height": size[1],
            "polygons": drawing.polygons if drawing else [],
            "content": content,
            "drawn_by": by,
            "drawn_at": self._database.now(connection),
        }
        connection.execute(_t.insert(), values)
        what = "shape.drawn" if drawing else "shape.removed"
        self._events.note(connection, by, what, dataset_id, {"row": row})


def _require_row(dataset: Dataset, row: int) -> None:
    n = dataset.n_images
    if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < n:
        raise NotFoundError(f"There is no image {quoted(row)} in this data set: its rows are 0..{n - 1}.")


def _require_newest(connection: Connection, dataset: Dataset) -> None:
    """Older versions keep their drawings as they are: the newest has taken along what there was."""
    newest = versions_of(connection, dataset.root, dataset.imported_as)[0]
    if newest.id != dataset.id:
        raise ConflictError(f"{dataset.name} {dataset.id} has a newer version: draw on {newest.id}.")


def _require_id(id: object) -> None:
    if not isinstance(id, str) or not 1 <= len(id) <= MAX_ID or not id.isprintable():
        raise ShapeRefusedError(f"A drawing has an id of 1 to {MAX_ID} characters, not {quoted(id)}: reload the page.")


def _require_room(connection: Connection, dataset_id: str, row: int, *, is_new: bool) -> None:
    of_dataset = _t.c.dataset_id == dataset_id
    count = sa.select(sa.func.count()).where(of_dataset, _t.c.row == row)
    if connection.execute(count).scalar_one() >= MOST_VERSIONS:
        raise ShapeRefusedError(f"Image {row} was drawn on {MOST_VERSIONS} times already: leave it as it is.")
    ever_drawn_on = sa.select(sa.func.count(sa.distinct(_t.c.row))).where(of_dataset)  # quick; most do not get there
    is_many = is_new and connection.execute(ever_drawn_on).scalar_one() >= MOST_IMAGES
    if is_many and len(newest_shapes(connection, dataset_id)) >= MOST_IMAGES:
        raise ShapeRefusedError(
            f"{MOST_IMAGES:,} images of this data set are drawn on already: import masks with the data for more."
        )


def _find(connection: Connection, id: str, dataset_id: str, row: int) -> Shape | None:
    """The shape of this id, where it was kept before; it is one of this image.

    Raises:
        ShapeRefusedError: the id was used for another image.
    """
    found = connection.execute(sa.select(_t).where(_t.c.id == id)).mappings().first()
    if found is None:
        return None
    if (found["dataset_id"], found["row"]) != (dataset_id, row):
        raise ShapeRefusedError(f"The id {id} was used for another image: reload the page.")
    return shape_of(found)
