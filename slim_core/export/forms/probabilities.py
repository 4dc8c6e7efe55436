"""Predicted probabilities beside the labels, for tools that look for label errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slim_core.export.arrays import save_parts
from slim_core.export.attention import logits_of, probabilities
from slim_core.export.form import Form, Source
from slim_core.export.image_list import IMAGES, write_image_list
from slim_core.store.runs.kinds import WITH_LOGITS


def write(source: Source, folder: Path) -> None:
    """pred_probs.npy (n, C) float32, rows sum to 1; labels.npy (n,) int64; images.csv in the same order."""
    rows, logits = logits_of(source)
    each = probabilities(logits, np.arange(len(rows)))
    save_parts(folder / "pred_probs.npy", np.float32, logits.shape, each)
    np.save(folder / "labels.npy", source.table.labels[rows])
    write_image_list(source.table, rows, folder)


FORM = Form(
    name="probabilities",
    of=WITH_LOGITS,
    title="Probabilities (cleanlab)",
    about=f"pred_probs.npy, labels.npy and {IMAGES}. Label errors are found where the model was not trained on the "
    "images: take validation and test.",
    opens_in="cleanlab.filter.find_label_issues",
    write=write,
)
