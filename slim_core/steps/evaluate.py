"""Every metric of a model on one split (METHOD.md section 2)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from slim_core.attention import attention_pass
from slim_core.datasets.table import ImageTable
from slim_core.errors import DataRefusedError, SpecRefusedError
from slim_core.groups import Grouping, grouping, pseudo_groups
from slim_core.metrics import AIOU, ATTENTION_PRECISION, classification_metrics
from slim_core.models import Model, load_model
from slim_core.prediction import predict
from slim_core.steps.context import StepContext
from slim_core.steps.space import load_clusters
from slim_core.steps.specs import EvaluateSpec

Rows = NDArray[np.int64]


def run(spec: EvaluateSpec, context: StepContext) -> dict[str, Any]:
    """Judge the model on the split; leaves predictions.parquet.

    Returns:
        the metrics of slim_core.metrics, with aiou and attention_precision (means over the images that have one,
        None without masks), aiou_n, precision_n and coverage: images with a mask, and all.

    Raises:
        DataRefusedError: the split has no images.
        SpecRefusedError: the space that gives pseudo-groups is one of another split.
    """
    table = context.store.datasets.table(spec.dataset)
    rows = table.rows(spec.split)
    if not len(rows):
        raise DataRefusedError(f"{table.name} has no {spec.split} images: choose another split.")
    model = load_model(context.parent(spec.model))
    groups = groups_of(spec, table, rows, context)
    if spec.attention and table.has_mask[rows].any():
        probabilities, attention = _with_attention(model, table, rows, spec, context)
    else:
        probabilities, attention = _plain(model, table, rows, context), _no_attention(table, rows)
    metrics = classification_metrics(table.labels[rows], probabilities, groups, train_counts(table, groups))
    _predictions(table, rows, probabilities, groups).to_parquet(context.out / "predictions.parquet", index=False)
    return metrics | attention


def groups_of(spec: EvaluateSpec, table: ImageTable, rows: Rows, context: StepContext) -> Grouping:
    """The groups of the rows: by attribute; else class x environment cluster of the space; else by class."""
    if table.has_attributes or spec.space is None:
        return grouping(table).take(rows)
    folder = context.parent(spec.space)
    if not np.array_equal(np.load(folder / "rows.npy", allow_pickle=False), rows):
        raise SpecRefusedError(
            f"Space {spec.space} does not hold the {spec.split} images: pseudo-groups of {spec.split} need a "
            f"space run with split={spec.split}."
        )
    clusters = load_clusters(folder)
    return pseudo_groups(table.labels[rows], clusters.index, clusters.n_per_class, table.label_names)


def train_counts(table: ImageTable, groups: Grouping) -> NDArray[np.int64] | None:
    """(n_groups,) training images per group; None for pseudo-groups, which are other ones in train."""
    whole = grouping(table)
    if whole.names != groups.names:
        return None
    return whole.counts(table.rows("train"))


def _plain(model: Model, table: ImageTable, rows: Rows, context: StepContext) -> NDArray[np.float32]:
    return predict(
        model,
        table,
        rows,
        device=context.device,
        on_progress=lambda done, total: context.progress(done, total, "evaluate"),
        check_stop=context.check_stop,
    )


def _with_attention(
    model: Model, table: ImageTable, rows: Rows, spec: EvaluateSpec, context: StepContext
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    folder = context.out / "attention"
    folder.mkdir()
    attention_pass(
        model,
        table,
        rows,
        folder,
        batch_size=spec.batch_size,
        device=context.device,
        on_progress=lambda done, total: context.progress(done, total, "evaluate"),
        check_stop=context.check_stop,
    )
    logits = np.load(folder / "logits.npy", allow_pickle=False)
    found = _attention_means(folder, table, rows)
    shutil.rmtree(folder)  # the maps of a model worth looking at come from a gradcam run
    return softmax(logits), found


def _attention_means(folder: Path, table: ImageTable, rows: Rows) -> dict[str, Any]:
    scores = pd.read_parquet(folder / "scores.parquet")
    found: dict[str, Any] = {}
    for key in (AIOU, ATTENTION_PRECISION):
        values = scores[key].dropna()
        found[key] = float(values.mean()) if len(values) else None
        found[f"{key}_n"] = len(values)
    return found | {"coverage": _coverage(table, rows)}


def _no_attention(table: ImageTable, rows: Rows) -> dict[str, Any]:
    return {
        AIOU: None,
        f"{AIOU}_n": 0,
        ATTENTION_PRECISION: None,
        f"{ATTENTION_PRECISION}_n": 0,
        "coverage": _coverage(table, rows),
    }


def _coverage(table: ImageTable, rows: Rows) -> dict[str, int]:
    return {"with_mask": int(table.has_mask[rows].sum()), "images": len(rows)}


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, C) probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def _predictions(table: ImageTable, rows: Rows, probabilities: NDArray[np.float32], groups: Grouping) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row": rows,
            "label": table.labels[rows],
            "prediction": probabilities.argmax(axis=1),
            "group": groups.index,
            "confidence": probabilities.max(axis=1),
        }
    )
