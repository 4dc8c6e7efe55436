"""How many images of a split attention can be scored on: those with a mask or box, and those that were drawn on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from app import session
from slim_core.data.groups import grouping, in_turn
from slim_core.formatting import counted

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Store

SEED = 0  # of the order in which images are proposed: everybody draws on the same ones
MOST_PROPOSED = 500


@dataclass(frozen=True)
class Coverage:
    """How many images of one split can be scored. ``classes``: (name, images that can be scored, images)."""

    n: int
    n_scored: int
    n_drawn: int
    classes: tuple[tuple[str, int, int], ...]

    def wire(self) -> dict[str, Any]:
        """As JSON for the browser."""
        return {"n": self.n, "scored": self.n_scored, "drawn": self.n_drawn, "classes": [*self.classes]}


def coverage(dataset: str, split: str) -> Coverage:
    """What can be scored now."""
    store = session.store()
    table, drawn_rows = store.datasets.table(dataset), list(store.shapes.all(dataset))
    rows = table.rows(split)
    drawn = np.isin(rows, drawn_rows)
    scored = table.has_mask[rows] | drawn
    labels = table.labels[rows]
    counts = [np.bincount(part, minlength=table.n_classes).tolist() for part in (labels[scored], labels)]
    classes = tuple(each for each in zip(table.label_names, *counts, strict=True) if each[2])
    return Coverage(len(rows), int(scored.sum()), int(drawn.sum()), classes)


def not_scored_yet(dataset: str, split: str) -> str:
    """What is said where a split has drawings, and maps of it no score at all; nothing where it has none."""
    n = coverage(dataset, split).n_drawn
    drawn = f"{counted(n, f'{split} image')} {'has' if n == 1 else 'have'} a drawing"
    again = "*Score again* on the Draw page does it."
    return f"{drawn} that these maps are not scored against yet. {again}" if n else ""


def proposed(dataset: str, split: str) -> tuple[list[int], int]:
    """Rows of a split in the order in which they are proposed, the groups in turn; how many have no mask, the first."""
    return _proposed(session.store(), dataset, split)


@lru_cache(maxsize=16)
def _proposed(store: Store, dataset: str, split: str) -> tuple[list[int], int]:
    table: ImageTable = store.datasets.table(dataset)
    rows = in_turn(table.rows(split), grouping(table).index, SEED)
    masked = table.has_mask[rows]
    found = rows[np.argsort(masked, kind="stable")][:MOST_PROPOSED]
    return found.tolist(), min(int((~masked).sum()), len(found))
