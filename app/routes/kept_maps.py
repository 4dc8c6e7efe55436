"""The attention maps that a finished run kept, and of which classes: read from disk one image at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from app import session
from slim_core.errors import NotFoundError

LABEL, PREDICTED = "label", "predicted"


@dataclass(frozen=True)
class KeptMaps:
    """Raw maps S of n images, mapped from disk; a finished run never changes."""

    run: str
    rows: np.ndarray  # (n,)
    labels: np.ndarray  # (n,)
    logits: np.ndarray | None  # (n, C)
    files: dict[str, np.ndarray]  # LABEL or PREDICTED -> (n, U, V)
    of_classes: np.ndarray | None  # (n, C, U, V)

    @property
    def classes(self) -> tuple[str, ...]:
        """What may be asked for: LABEL, PREDICTED, and the numbers of classes, whichever there are maps of."""
        if self.of_classes is None:
            return tuple(self.files)
        return (LABEL, PREDICTED, *map(str, range(self.of_classes.shape[1])))

    def of(self, row: int, map_of: str) -> np.ndarray:
        """(U, V) float32: the map of a row.

        Raises:
            NotFoundError: the run did not look at this row, or kept no map of that class.
        """
        at = np.flatnonzero(self.rows == row)
        if map_of not in self.classes or not len(at):
            what = f"no map of image {row}" if map_of in self.classes else f"no map of the {map_of} class"
            raise NotFoundError(f"Run {self.run} has {what}: run the attention maps with that class and split.")
        return np.asarray(self._at(int(at[0]), map_of), np.float32)

    def _at(self, position: int, map_of: str) -> np.ndarray:
        if map_of in self.files:
            return self.files[map_of][position]
        assert self.of_classes is not None and self.logits is not None  # classes says so
        known = {LABEL: self.labels[position], PREDICTED: self.logits[position].argmax()}
        return self.of_classes[position, int(known.get(map_of, map_of))]


def open_maps(run_id: str) -> KeptMaps:
    """Those of a finished run.

    Raises:
        NotFoundError: it kept none.
    """
    return _open(run_id, session.store().artifacts.folder(run_id))


@lru_cache(maxsize=16)
def _open(run_id: str, folder: Path) -> KeptMaps:
    store = session.store()
    run = store.runs.fetch(run_id)
    maps = _array(folder, "maps")
    rows = _array(folder, "rows")
    if run.kind not in ("gradcam", "evaluate") or maps is None or rows is None:
        raise NotFoundError(f"Run {run_id} has no attention maps: name a finished gradcam run.")
    asked = run.spec.get("class_of_map", LABEL)
    files = {PREDICTED if asked == PREDICTED else LABEL: maps}
    predicted = _array(folder, "maps_predicted")
    if predicted is not None:
        files[PREDICTED] = predicted
    labels = store.datasets.table(run.dataset_id).labels[rows]
    return KeptMaps(run_id, rows, labels, _array(folder, "logits"), files, _array(folder, "class_maps"))


def _array(folder: Path, name: str) -> np.ndarray | None:
    path = folder / f"{name}.npy"
    return np.load(path, mmap_mode="r", allow_pickle=False) if path.exists() else None
