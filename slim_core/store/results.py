"""The one reader of what finished runs left: a class a kind of result, over the folder that Artifacts gives.

``store.artifacts.folder(run_id)`` fetches a folder that lies behind a URL. Arrays that grow with the maps or features
are mapped from disk, so that no reader loads them whole. The names of the files are in slim_core.result_files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slim_core import result_files as names
from slim_core.errors import NotFoundError
from slim_core.result_files import NetworkFacts, undamaged
from slim_core.space.environments import Clusters

if TYPE_CHECKING:
    from slim_core.data.images.codec import ImageTransform
    from slim_core.store.artifacts import Artifacts

LABEL, PREDICTED = "label", "predicted"  # classes of a map; a class of its own is named by its number
ARRAYS_OF_IMAGES = {  # small, of one or two numbers an image: what a browser may ask for
    "rows": names.ROWS,
    "attention_space": names.SPACES["attention"],
    "environment_space": names.SPACES["environment"],
    "clusters": names.CLUSTERS,
    "scores": names.PROPAGATED,
}


def mapped(path: Path) -> NDArray[Any]:
    """An array that stays on disk.

    Raises:
        ArtifactDamagedError: the file is no array.
    """
    with undamaged(path):
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def loaded(path: Path) -> NDArray[Any]:
    """An array in memory.

    Raises:
        ArtifactDamagedError: the file is no array.
    """
    with undamaged(path):
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def table_at(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A table in memory, or some of its columns.

    Raises:
        ArtifactDamagedError: the file is no table, or lacks a column.
    """
    with undamaged(path):
        return pd.read_parquet(path, columns=None if columns is None else list(columns))


@dataclass(frozen=True)
class AttentionResult:
    """What a gradcam run left, or, without features, an evaluation with attention; n images."""

    folder: Path

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """(n,) rows of the data set."""
        return loaded(self.folder / names.ROWS).astype(np.int64, copy=False)

    @property
    def has_maps(self) -> bool:
        """An evaluation without attention has none."""
        return (self.folder / names.MAPS).is_file()

    def map_of(self, row: int) -> NDArray[np.float32] | None:
        """(U, V): the raw map of the class that the run was asked for; None where the run has not seen the row."""
        at = np.flatnonzero(self.rows == row)
        return np.asarray(mapped(self.folder / names.MAPS)[at[0]], np.float32) if len(at) else None

    def maps(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """(m, U, V) raw maps of the positions, of the class that the run was asked for."""
        return np.asarray(mapped(self.folder / names.MAPS)[positions], np.float32)

    @cached_property
    def logits(self) -> NDArray[np.float32]:
        """(n, C), mapped."""
        return mapped(self.folder / names.LOGITS)

    @property
    def has_scores(self) -> bool:
        """An evaluation keeps its scores with its predictions."""
        return (self.folder / names.SCORES).is_file()

    @property
    def sheet(self) -> Path:
        """The images and overlays of a preview as one PNG."""
        return self.folder / names.SHEET

    def scores(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """One row an image: row, prediction, confidence, loss, entropy, no_evidence, scores against the masks."""
        return table_at(self.folder / names.SCORES, columns)

    def positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(m,) where each of these rows, all of which the run has seen, lies in its arrays."""
        order = np.argsort(self.rows)
        found: NDArray[np.int64] = order[np.searchsorted(self.rows, rows, sorter=order)]
        return found

    @property
    def has_features(self) -> bool:
        """An evaluation has none."""
        return all((self.folder / file).is_file() for file in names.FEATURES.values())

    def stored_features(self, name: str) -> NDArray[Any]:
        """(n, K) as they are stored, mapped from disk."""
        return mapped(self.folder / names.FEATURES[name])

    def features(self, name: str, positions: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """(m, K) "attention", "environment" or "pooled" features of the positions; None: of all n images."""
        stored = self.stored_features(name)
        return np.asarray(stored if positions is None else stored[positions], dtype=np.float32)


@dataclass(frozen=True)
class Maps:
    """Raw maps S of n images by the class they are of, mapped from disk."""

    run: str
    rows: NDArray[np.int64]  # (n,)
    labels: NDArray[np.int64]  # (n,)
    logits: NDArray[np.float32] | None  # (n, C)
    files: dict[str, NDArray[Any]]  # LABEL or PREDICTED -> (n, U, V)
    of_classes: NDArray[Any] | None  # (n, C, U, V)

    @classmethod
    def open(cls, run: str, folder: Path, class_of_map: str, labels: NDArray[np.int64]) -> Maps:
        """Those in a run's folder.

        Args:
            run: id of the run, for messages.
            folder: of its artifacts.
            class_of_map: of its spec.
            labels: of all images of its data set.

        Raises:
            NotFoundError: it kept none.
        """
        kept = {name: _mapped_if_there(folder / name) for name in (names.MAPS, names.ROWS)}
        maps, rows = kept[names.MAPS], kept[names.ROWS]
        if maps is None or rows is None:
            raise NotFoundError(f"Run {run} has no attention maps: name a finished gradcam run.")
        files = {PREDICTED if class_of_map == PREDICTED else LABEL: maps}
        predicted = _mapped_if_there(folder / names.MAPS_PREDICTED)
        files |= {} if predicted is None else {PREDICTED: predicted}
        logits, of_classes = (_mapped_if_there(folder / name) for name in (names.LOGITS, names.CLASS_MAPS))
        return cls(run, rows, labels[rows], logits, files, of_classes)

    @property
    def classes(self) -> tuple[str, ...]:
        """What may be asked for: LABEL, PREDICTED, and the numbers of classes, whichever there are maps of."""
        if self.of_classes is None:
            return tuple(self.files)
        return (LABEL, PREDICTED, *map(str, range(self.of_classes.shape[1])))

    def of(self, row: int, map_of: str) -> NDArray[np.float32]:
        """(U, V): the map of a row.

        Raises:
            NotFoundError: the run has not seen this row, or kept no map of that class.
        """
        at = np.flatnonzero(self.rows == row)
        if map_of not in self.classes or not len(at):
            what = f"no map of image {row}" if map_of in self.classes else f"no map of the {map_of} class"
            raise NotFoundError(f"Run {self.run} has {what}: run the attention maps with that class and split.")
        return np.asarray(self._at(int(at[0]), map_of), np.float32)

    def each(self, map_of: str) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """(row, (U, V)) of every image, in the order of the rows; ``map_of``: one of ``classes``."""
        for position, row in enumerate(self.rows.tolist()):
            yield row, np.asarray(self._at(position, map_of), np.float32)

    def _at(self, position: int, map_of: str) -> NDArray[Any]:
        if map_of in self.files:
            found: NDArray[Any] = self.files[map_of][position]
            return found
        assert self.of_classes is not None and self.logits is not None  # classes says so
        known = {LABEL: self.labels[position], PREDICTED: self.logits[position].argmax()}
        found = self.of_classes[position, int(known.get(map_of, map_of))]
        return found


def _mapped_if_there(path: Path) -> NDArray[Any] | None:
    return mapped(path) if path.exists() else None


@dataclass(frozen=True)
class SpaceResult:
    """What a space run left; n images."""

    folder: Path

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """(n,) rows of the data set."""
        return loaded(self.folder / names.ROWS).astype(np.int64, copy=False)

    def points(self, name: str = "attention") -> NDArray[np.float32]:
        """(n, 2) of the "attention" or the "environment" space."""
        return loaded(self.folder / names.SPACES[name])

    def clusters(self) -> Clusters:
        """The environment clusters of the images."""
        about = self.folder / names.CLUSTERS_ABOUT
        with undamaged(about):
            n_per_class = tuple(json.loads(about.read_text())["n_per_class"])
        return Clusters(
            index=loaded(self.folder / names.CLUSTERS),
            n_per_class=n_per_class,
            reduced=loaded(self.folder / names.ENVIRONMENT_REDUCED),
        )


@dataclass(frozen=True)
class ModelResult:
    """What a train run left, without its weights: those are read by slim_core.models, which loads torch."""

    folder: Path

    @property
    def exists(self) -> bool:
        """False where the files of the model were removed."""
        return (self.folder / names.MODEL).is_file()

    @cached_property
    def transform(self) -> ImageTransform:
        """How the model sees images."""
        from slim_core.data.images.codec import ImageTransform  # it loads the decoders

        return ImageTransform.from_json(self._about["transform"])

    @property
    def network(self) -> NetworkFacts | None:
        """Target layer and head; None where it has no layer with a map, or was trained before they were recorded."""
        found = self._about.get("network") or {}
        return NetworkFacts.from_json(found) if "target_layer" in found else None

    @property
    def no_attention(self) -> str:
        """Why the model has no attention maps; "" where it has."""
        return str((self._about.get("network") or {}).get("refused", ""))

    @cached_property
    def _about(self) -> dict[str, Any]:
        path = self.folder / names.MODEL
        with undamaged(path):
            found: dict[str, Any] = json.loads(path.read_text())
            return found

    def history(self) -> list[dict[str, Any]]:
        """One dict an epoch; empty where the run has kept none."""
        path = self.folder / names.HISTORY
        if not path.is_file():
            return []
        with undamaged(path):
            found: list[dict[str, Any]] = json.loads(path.read_text())
        return found


def training_history(artifacts: Artifacts, run_id: str) -> list[dict[str, Any]]:
    """One dict an epoch: of a finished run from its artifacts, of one that runs from beside its checkpoints."""
    done = artifacts.has(run_id, names.HISTORY)
    return ModelResult(artifacts.folder(run_id) if done else artifacts.checkpoints(run_id)).history()


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluate run left."""

    folder: Path

    def predictions(self) -> pd.DataFrame:
        """One row an image of the split: row, label, prediction, group (index), confidence, and attention scores.

        Raises:
            NotFoundError: the file was removed.
            ArtifactDamagedError: it is no table any more.
        """
        path = self.folder / names.PREDICTIONS
        if not path.exists():
            raise NotFoundError(
                f"The predictions of {self.folder.name} are missing ({names.PREDICTIONS} was removed): evaluate its "
                f"model again."
            )
        return table_at(path)


@dataclass(frozen=True)
class SubsetResult:
    """What a curate run left."""

    folder: Path

    def images(self) -> pd.DataFrame:
        """One row a distinct image: row, count (how often it is used), cell, score, label."""
        return table_at(self.folder / names.SUBSET)

    def rows(self) -> NDArray[np.int64]:
        """(B,) of the data set, in the order of ``images``, each as often as it is used."""
        chosen = self.images()
        return np.repeat(chosen["row"].to_numpy(np.int64), chosen["count"].to_numpy(np.int64))


def recorded_remedy(folder: Path) -> dict[str, Any]:
    """Fields of the spec, and their values, with which a failed run would fit into memory; empty: none are known."""
    return _recorded(folder / names.REMEDY)


def recorded_environment(folder: Path) -> dict[str, Any]:
    """What a run recorded of its machine and packages; empty where the file is missing."""
    return _recorded(folder / names.ENVIRONMENT)


def _recorded(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    with undamaged(path):
        found: dict[str, Any] = json.loads(path.read_text())
    return found
