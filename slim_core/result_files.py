"""The names of the files a run leaves, how one is written whole, what is free on a disk, and what is damaged.

Steps write by these names, slim_core.store.results reads by them. So it is with what model.json says of a network.

A leaf of its own, for the rooms that write (models, training, attention) know no store.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from slim_core import locks
from slim_core.errors import ArtifactDamagedError, SpecRefusedError, is_full_disk

# every run
LOG, SPEC, ENVIRONMENT, METRICS = "log.txt", "spec.json", "environment.json", "metrics.json"
PUBLISHED = "published.json"  # which attempt counts, as Artifacts and Remote say: they write it last
REMEDY = "remedy.json"  # field of the spec -> value with which it would not have failed, where that is known

_ATTEMPT = "attempt-"

# train
MODEL = "model.json"  # what the network is, and how it sees images
WEIGHTS = "weights.safetensors"
HISTORY = "history.json"  # a dict an epoch; during a training it lies among the checkpoints

# gradcam, preview, features, and evaluate with attention: of n images
ROWS = "rows.npy"  # (n,) int64 rows of the data set; also of a space
MAPS = "maps.npy"  # (n, U, V) raw S of the class that was asked for
MAPS_PREDICTED = "maps_predicted.npy"  # (n, U, V) of the predicted class
CLASS_MAPS = "class_maps.npy"  # (n, C, U, V)
LOGITS = "logits.npy"  # (n, C)
SCORES = "scores.parquet"  # prediction, confidence and scores against the masks, one row an image
FEATURES = {name: f"{name}_features.npy" for name in ("attention", "environment", "pooled")}  # (n, K)
THUMBNAILS, THUMBNAIL_INDEX = "thumbnails.bin", "thumbnails.npy"
FINDINGS = "findings.json"  # what the attention is on, by class: slim_core.evaluation.finder
SHEET = "preview.png"  # of a preview

# space: of n images
SPACES = {name: f"{name}_space.npy" for name in ("attention", "environment")}  # (n, 2)
CLUSTERS, CLUSTERS_ABOUT = "clusters.npy", "clusters.json"  # (n,) and how many each class has
ENVIRONMENT_REDUCED = "environment_reduced.npy"  # (n, d)

# curate
SUBSET = "subset.parquet"  # row, count, cell, score, label
PROPAGATED = "scores.npy"  # (n,) aligned with the space
REPORT = "report.json"

# evaluate
PREDICTIONS = "predictions.parquet"  # row, label, prediction, group, confidence, and attention scores


def attempt_folder(attempt: int | str) -> str:
    """The name of the folder that an attempt of a run writes into; "*": a pattern of them all."""
    return f"{_ATTEMPT}{attempt}"


def attempt_of(folder: str) -> int:
    """The number of an attempt, by the name of its folder."""
    return int(folder.removeprefix(_ATTEMPT))


def array_file(name: str) -> str:
    """The file of an array by its name in an attention pass: ``maps`` is in maps.npy."""
    return f"{name}.npy"


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A draft beside a file, which takes its place once it is written; none is left where that fails.

    Each writer has a draft of its own: of two who write the same file at once, the last one counts.
    """
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """A draft of a file that somebody has named, which takes its place once it is written; a link or a device is
    written into itself. What a killed writer has left there goes, as of ``draft_of``: nobody looks for it.

    Raises:
        SpecRefusedError: it cannot be written. What was there before is there still.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):  # such as /dev/stdout
            yield path
        else:
            with draft_of(path, is_folder=False) as draft:
                yield draft
                os.replace(draft, path)
    except OSError as error:
        raise SpecRefusedError(not_written(path, error)) from error


def write_text(path: Path, text: str) -> None:
    """Write a file that somebody has named, in UTF-8, whole or not at all.

    Raises:
        SpecRefusedError: as of ``written``.
    """
    with output_file(path) as draft:
        draft.write_text(text, encoding="utf-8")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def not_written(path: Path, error: OSError) -> str:
    """What is said of a file that somebody has named and that cannot be written."""
    remedy = "free some space, or name another file" if is_full_disk(error) else "name another file"
    return f"{path} cannot be written ({error.strerror or error}): {remedy}."


UNHELD_S = 60.0  # how long a draft may be there before it is held
_DRAFT = re.compile(r"-[0-9a-f]{8}")


@contextmanager
def draft_of(target: Path, *, is_folder: bool) -> Iterator[Path]:
    """A new draft beside a file or folder that takes long to write; the caller moves it into its place.

    It is held by a lock until the block ends, and removed there if it was not moved. Those for the same target that
    nobody holds any more, since their writers were killed, are removed before: they are hidden, and may be large.
    """
    _sweep_drafts(target)
    draft = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    if is_folder:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
    else:
        draft.touch()
    with locked(draft):
        try:
            yield draft
        finally:
            _remove(draft)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a file or folder until the block ends, or this process, however it ends: till then ``is_left`` is False."""
    if os.name == "nt" and path.is_dir():  # which Windows does not open
        yield
        return
    lock = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # a disk without locks: then none is ever found free, and nothing is swept
            locks.take(lock)
        yield
    finally:
        os.close(lock)


def _sweep_drafts(target: Path) -> None:
    before = f".{target.name}"
    for path in target.parent.glob(f"{glob.escape(before)}-*"):
        if _DRAFT.fullmatch(path.name.removeprefix(before)) and is_left(path):
            _remove(path)


def is_left(path: Path, unheld_s: float = UNHELD_S) -> bool:
    """Whether nobody holds a file or folder any more, which may be there for ``unheld_s`` before it is held."""
    try:
        if time.time() - path.stat().st_mtime < unheld_s:
            return False
        lock = os.open(path, os.O_RDONLY)
        try:
            locks.take(lock)
        finally:
            os.close(lock)
    except OSError:  # it is held, or gone meanwhile
        return False
    return True


def _remove(draft: Path) -> None:
    """A file or a folder, or nothing any more."""
    if draft.is_dir():
        shutil.rmtree(draft, ignore_errors=True)
    else:
        draft.unlink(missing_ok=True)


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """Around the reading of a file that a run has left.

    Raises:
        ArtifactDamagedError: it was cut, overwritten or removed.
    """
    try:
        yield
    except (ValueError, OSError, EOFError, KeyError, TypeError) as error:  # numpy's, Arrow's, and those of JSON
        what = "missing" if isinstance(error, FileNotFoundError) else "damaged"
        raise ArtifactDamagedError(
            f"The file {path.name} of {path.parent.name} is {what}: put it back from a backup, or run that step again."
        ) from error


MB = 2**20
_TRIED = 2**16  # bytes of the file that shows whether a disk is written, whose figures say nothing, or 0


def free_bytes(folder: Path) -> int | None:
    """Bytes that are free on the disk of a folder; None where that is not known.

    Some network file systems report nothing, or a size of 0: whoever writes there meets their end.
    """
    try:
        if not hasattr(os, "statvfs"):  # Windows
            return shutil.disk_usage(folder).free
        found = os.statvfs(folder)
    except OSError:  # the folder is gone, or its server: every write says so
        return None
    free = found.f_bavail * found.f_frsize
    if found.f_blocks <= 0 or found.f_bavail > found.f_blocks or (free == 0 and can_write(folder)):
        return None
    return free


def can_write(folder: Path, size: int = _TRIED) -> bool:
    """Whether a file of so many bytes can be written there: a quota is seen by no figure. It is gone afterwards."""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as tried:
            for at in range(0, size, MB):
                tried.write(bytes(min(MB, size - at)))
            os.fsync(tried.fileno())
    except OSError:
        return False
    return True


MapPath = Literal["forward", "gradient"]


@dataclass(frozen=True)
class NetworkFacts:
    """Target layer and head of a network, and how its maps are computed."""

    target_layer: str  # dotted name of the module whose output is A
    map_shape: tuple[int, int, int]  # K channels, U x V positions
    head: str | None  # dotted name of the last layer, where it is linear
    path: MapPath  # forward: every class's map comes with the forward pass; gradient: one backward pass a class
    reason: str  # why the gradient is needed; "" for the forward path
    layers: tuple[str, ...]  # every layer that has a map, in the order of the forward pass

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> NetworkFacts:
        """What ``to_json`` wrote."""
        return cls(**{**values, "map_shape": tuple(values["map_shape"]), "layers": tuple(values["layers"])})

    @property
    def described(self) -> str:
        """Two sentences: which layer, and how its maps are computed."""
        n_channels, height, width = self.map_shape
        layer = f"Attention comes from the layer {self.target_layer} ({n_channels:,} channels, {height} x {width})."
        if self.path == "forward":
            return f"{layer} The map of every class is computed exactly in the forward pass."
        return f"{layer} Each map takes one backward pass (Grad-CAM), because {self.reason}."
