"""The names of the files a run leaves, how a file is written whole, and what is said where one is damaged.

Steps write by these names, slim_core.store.results reads by them.

A leaf of its own, for the rooms that write (models, training, attention) know no store.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slim_core.errors import ArtifactDamagedError

# every run
LOG, SPEC, ENVIRONMENT, METRICS = "log.txt", "spec.json", "environment.json", "metrics.json"
REMEDY = "remedy.json"  # field of the spec -> value with which it would not have failed, where that is known

# train
MODEL = "model.json"  # what the network is, and how it sees images
WEIGHTS = "weights.safetensors"
HISTORY = "history.json"  # a dict an epoch; during a training it lies among the checkpoints
HELD_OUT = "held_out.npy"  # (n,) int64 rows of train that the training did not see, where it held some out

# gradcam, preview, features, and evaluate with attention: of n images
ROWS = "rows.npy"  # (n,) int64 rows of the data set; also of a space
MAPS = "maps.npy"  # (n, U, V) raw S of the class that was asked for
MAPS_PREDICTED = "maps_predicted.npy"  # (n, U, V) of the predicted class
CLASS_MAPS = "class_maps.npy"  # (n, C, U, V)
LOGITS = "logits.npy"  # (n, C)
SCORES = "scores.parquet"  # prediction, confidence and scores against the masks, one row an image
FEATURES = {name: f"{name}_features.npy" for name in ("attention", "environment", "pooled")}  # (n, K)
THUMBNAILS, THUMBNAIL_INDEX = "thumbnails.bin", "thumbnails.npy"
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


def array_file(name: str) -> str:
    """The file of an array by its name in an attention pass: ``maps`` is in maps.npy."""
    return f"{name}.npy"


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
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
