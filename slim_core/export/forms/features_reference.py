"""Features, outputs, predictions and labels by the file names of the published code of SLIM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slim_core.export.arrays import parts, save_parts
from slim_core.export.attention import probabilities
from slim_core.export.form import Form, Source
from slim_core.store.results import AttentionResult
from slim_core.store.runs.kinds import PASSES


def write(source: Source, folder: Path) -> None:
    """Of each split <split>.npy, <split>_outputs.npy, <split>_predictions.npy and <split>_labels.npy.

    As get_feature_vectors.py of xiweix/SLIM writes them: pooled features (n, K) float32, softmax (n, C) float32, and
    (n,) int64 each; images in the order of the data set.
    """
    splits = source.table.splits[AttentionResult(source.folder).rows]
    for split in np.unique(splits):
        _write_split(source, str(split), np.flatnonzero(splits == split), folder)


def _write_split(source: Source, split: str, at: NDArray[np.int64], folder: Path) -> None:
    """``at`` (n,): positions of the split's images in the pass."""
    seen = AttentionResult(source.folder)
    n, (_, n_features), (_, n_classes) = len(at), seen.stored_features("pooled").shape, seen.logits.shape
    pooled = (seen.features("pooled", part) for part in parts(at))
    save_parts(folder / f"{split}.npy", np.float32, (n, n_features), pooled)
    save_parts(folder / f"{split}_outputs.npy", np.float32, (n, n_classes), probabilities(seen.logits, at))
    predictions = (seen.logits[part].argmax(axis=1) for part in parts(at))
    save_parts(folder / f"{split}_predictions.npy", np.int64, (n,), predictions)
    np.save(folder / f"{split}_labels.npy", source.table.labels[seen.rows[at]])


FORM = Form(
    name="features-reference",
    of=PASSES,
    title="Feature vectors as in the SLIM code",
    about="train.npy, train_outputs.npy, train_predictions.npy and train_labels.npy, and the same of other splits.",
    opens_in="the notebook slim_data_sampling of the published SLIM code",
    write=write,
)
