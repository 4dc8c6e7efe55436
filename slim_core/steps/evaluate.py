"""Every metric of a model on one split (METHOD.md section 2)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from slim_core import result_files
from slim_core.attention.arrays import summed_up_masks
from slim_core.attention.attention_pass import attention_pass
from slim_core.attention.config import PassConfig
from slim_core.data.groups import Grouping, grouping, pseudo_groups
from slim_core.data.table import ImageTable
from slim_core.errors import DataRefusedError, SpecRefusedError
from slim_core.metrics import (
    AIOU,
    ATTENTION_PRECISION,
    COVERAGE,
    GROUPS,
    IOU,
    N_MASKS,
    classification_metrics,
    name_classes,
)
from slim_core.models.build import load_model
from slim_core.models.inference import predict
from slim_core.models.model import Model
from slim_core.steps.context import StepContext
from slim_core.steps.passes import find_maps, rescore, take_over
from slim_core.steps.specs import EvaluateSpec
from slim_core.steps.train import kept_features
from slim_core.store.results import AttentionResult, EvaluationResult, SpaceResult
from slim_core.store.runs.rows import Run
from slim_core.training.last_layer import read_last_layer

Rows = NDArray[np.int64]
ATTENTION = (AIOU, ATTENTION_PRECISION, IOU, COVERAGE, N_MASKS)
OF_IMAGES = (
    "loss",
    "entropy",
    "no_evidence",
    IOU,
    AIOU,
    ATTENTION_PRECISION,
)  # with attention
KEPT = (result_files.ROWS, result_files.LOGITS, result_files.MAPS, result_files.CLASS_MAPS)


def run(spec: EvaluateSpec, context: StepContext) -> dict[str, Any]:
    """Evaluate the model on the split; leaves predictions.parquet and, with attention, rows, maps and logits.

    One that differs from a finished one by the drawn shapes alone takes its predictions over (``passes.rescore``).

    Returns:
        the metrics of slim_core.metrics, each group also with the means of AIoU and attention precision, and with
        n_masks, how many of its images have the latter; iou, aiou and attention_precision (means over the images with
        a mask, None without masks; an empty map has no attention_precision), attention_coverage (share of images with
        a mask; None without attention) and n_masks (images with a mask, empty maps among them).

    Raises:
        DataRefusedError: the split has no images.
        SpecRefusedError: the space that gives pseudo-groups is one of another split, or the features are of another
            model or other images.
    """
    table = context.table(spec.dataset, spec.shapes_seq)
    rows = table.rows(spec.split)
    if not len(rows):
        raise DataRefusedError(f"{table.name} has no {spec.split} images: choose another split.")
    if spec.shapes_seq is not None and (base := find_maps(spec, context)) is not None:
        return _scored_again(base, table, context)
    model = load_model(context.parent(spec.model))
    groups = groups_of(spec, table, rows, context)
    if spec.attention:
        probabilities, attention, scores = _with_attention(model, table, rows, spec, context)
    else:
        probabilities, attention = _plain(model, table, rows, spec, context), _no_attention(table, rows)
        scores = None
    metrics = classification_metrics(table.labels[rows], probabilities, groups, train_counts(table, groups))
    predictions = _predictions(table, rows, probabilities, groups)
    if scores is not None:
        predictions = predictions.join(scores)
        metrics[GROUPS] = _groups_with_attention(metrics[GROUPS], predictions)
    predictions.to_parquet(context.out / result_files.PREDICTIONS, index=False)
    return name_classes(metrics, table.label_names) | attention


def _scored_again(base: Run, table: ImageTable, context: StepContext) -> dict[str, Any]:
    """What a finished evaluation found, with its attention scored against other shapes."""
    folder, metrics = take_over(base, context), base.metrics or {}
    predictions = rescore(base, EvaluationResult(folder).predictions(), table, context)
    predictions.to_parquet(context.out / result_files.PREDICTIONS, index=False)
    groups = _groups_with_attention(metrics[GROUPS], predictions)
    return metrics | {GROUPS: groups} | summed_up_masks(predictions) | {"reused": base.id}


def groups_of(spec: EvaluateSpec, table: ImageTable, rows: Rows, context: StepContext) -> Grouping:
    """The groups of the rows: by attribute; else class x environment cluster of the space; else by class."""
    if table.has_attributes or spec.space is None:
        return grouping(table).take(rows)
    space = SpaceResult(context.parent(spec.space))
    if not np.array_equal(space.rows, rows):
        raise SpecRefusedError(
            f"Space {spec.space} does not hold the {spec.split} images: estimated groups of {spec.split} need a "
            f"space run with split={spec.split}."
        )
    clusters = space.clusters()
    return pseudo_groups(table.labels[rows], clusters.index, clusters.n_per_class, table.label_names, spec.split)


def train_counts(table: ImageTable, groups: Grouping) -> NDArray[np.int64] | None:
    """(n_groups,) training images per group; None for pseudo-groups, which are other ones in train."""
    whole = grouping(table)
    if whole.names != groups.names:
        return None
    return whole.counts(table.rows("train"))


def _plain(
    model: Model, table: ImageTable, rows: Rows, spec: EvaluateSpec, context: StepContext
) -> NDArray[np.float32]:
    if spec.features is None:
        return predict(model, table, rows, batch_size=spec.batch_size, runtime=context.runtime("evaluate"))
    pooled = kept_features(spec.features, spec.model, rows, context)  # (n, K)
    return np.asarray(read_last_layer(model).probabilities(pooled), np.float32)


def _with_attention(
    model: Model, table: ImageTable, rows: Rows, spec: EvaluateSpec, context: StepContext
) -> tuple[NDArray[np.float32], dict[str, Any], pd.DataFrame]:
    folder = context.out / "attention"
    folder.mkdir()
    config = PassConfig(batch_size=spec.batch_size, target_layer=spec.target_layer)
    found = attention_pass(model, table, rows, folder, config, runtime=context.runtime("evaluate"))
    seen = AttentionResult(folder)
    logits, scores = np.array(seen.logits), seen.scores()[[*OF_IMAGES]]
    for name in KEPT:  # small: the images behind each metric can be shown
        if (folder / name).exists():
            (folder / name).replace(context.out / name)
    shutil.rmtree(folder)  # the features, which are large, come from a gradcam run
    return softmax(logits, axis=1), {key: found[key] for key in ATTENTION}, scores


def _groups_with_attention(groups: Sequence[dict[str, Any]], predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """The metrics of each group, with its attention scores beside them."""
    return [row | _group_attention(predictions[predictions["group"] == row["group"]]) for row in groups]


def _group_attention(part: pd.DataFrame) -> dict[str, Any]:
    means = {key: part[key].mean() for key in (AIOU, ATTENTION_PRECISION)}
    plain = {key: float(value) if np.isfinite(value) else None for key, value in means.items()}
    return plain | {N_MASKS: int(part[ATTENTION_PRECISION].notna().sum())}


def _no_attention(table: ImageTable, rows: Rows) -> dict[str, Any]:
    n_masks = int(table.has_mask[rows].sum())
    return {AIOU: None, ATTENTION_PRECISION: None, IOU: None, COVERAGE: None, N_MASKS: n_masks}


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
