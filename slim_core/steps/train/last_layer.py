"""Refit the last layer of a model on pooled features: those of a finished pass, or computed here (METHOD S10)."""

from __future__ import annotations

import shutil
import time

import numpy as np
from numpy.typing import NDArray

from slim_core.attention.attention_pass import attention_pass
from slim_core.data.groups import Grouping, grouping
from slim_core.data.table import ImageTable
from slim_core.errors import SpecRefusedError
from slim_core.metrics import classification_metrics
from slim_core.models.model import Model
from slim_core.steps.context import StepContext
from slim_core.steps.groups import CHOSEN_BY, left_out, single_images
from slim_core.steps.specs import TrainSpec
from slim_core.steps.train.shown_model import answers_about_training, attention_shown, require_same_features
from slim_core.store.campaigns.values import RIGHT
from slim_core.store.results import AttentionResult
from slim_core.training.last_layer import REFITS, Layer, PooledImages, RefitData, require_groups
from slim_core.training.last_layer.answered import regions
from slim_core.training.last_layer.head import apply_last_layer, read_last_layer
from slim_core.training.loop import TrainResult

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]


def refit(
    model: Model, table: ImageTable, rows: Rows, counts: Rows | None, spec: TrainSpec, context: StepContext
) -> TrainResult:
    """Put a layer into the model that is fitted on the rows, each ``counts`` times, as the spec says.

    The history has the metrics on validation, unless that was fitted on.

    Raises:
        SpecRefusedError: the refit needs groups, the data has none, or its images do not allow it; the model has no
            linear last layer with a bias; or the layer that was fitted is not finite.
    """
    started = time.perf_counter()
    require_groups(spec.refit, table)
    before = read_last_layer(model)  # refused before the pass over the images, which may take hours
    groups, notes = _groups(spec, table, rows)
    val = table.rows("val")
    on_val = REFITS[spec.refit].fitted_on == "val"
    seen = rows if on_val else np.concatenate([rows, val])
    pooled = pooled_features(model, table, seen, spec, context)  # (n, K) of the rows, and behind them those of val
    data = _data(before, table, rows, counts, pooled, groups, spec, context)
    context.progress(0, 1, "fit the last layer")
    layer = REFITS[spec.refit](spec.refit_options, spec.seed).fit(data)
    _require_finite(layer, spec.refit)
    apply_last_layer(model, layer)
    metrics = None if on_val else _on_validation(layer, table, pooled[len(rows) :], groups)
    return TrainResult([{"epoch": 1, "val": metrics}], 1, time.perf_counter() - started, notes)


def _require_finite(layer: Layer, refit: str) -> None:
    if not (np.isfinite(layer.weight).all() and np.isfinite(layer.bias).all()):
        raise SpecRefusedError(
            f"The fit of the last layer by {refit} diverged: take a smaller learning rate, or smaller penalties."
        )


def _groups(spec: TrainSpec, table: ImageTable, rows: Rows) -> tuple[Grouping, tuple[str, ...]]:
    """The groups, and what a reader must know of those that the refit balances, or that it is chosen by."""
    groups, by_group = grouping(table), REFITS[spec.refit].uses_groups()
    notes = left_out(groups.lacking(rows) if by_group else ())
    if _is_chosen_by_group(spec):
        notes += single_images(groups, table.rows("val"), CHOSEN_BY, "refit" if by_group else "selection")
    return groups, tuple(notes)


def _is_chosen_by_group(spec: TrainSpec) -> bool:
    return REFITS[spec.refit].uses_groups() or spec.selection == "worst_group"


def _data(
    before: Layer,
    table: ImageTable,
    rows: Rows,
    counts: Rows | None,
    pooled: Floats,
    groups: Grouping,
    spec: TrainSpec,
    context: StepContext,
) -> RefitData:
    """The images; groups are with them only where the refit or the selection uses groups."""
    to_choose = np.empty(0, np.int64) if REFITS[spec.refit].fitted_on == "val" else table.rows("val")
    chosen_by_group = _is_chosen_by_group(spec)
    fitted_by_group = REFITS[spec.refit].uses_groups() or (chosen_by_group and not len(to_choose))

    def images(features: Floats, of: Rows, counts: Rows | None, with_groups: bool) -> PooledImages:
        return PooledImages(features, table.labels[of], counts, groups.index[of] if with_groups else None)

    return RefitData(
        images(pooled[: len(rows)], rows, counts, fitted_by_group),
        images(pooled[len(rows) :], to_choose, None, chosen_by_group),
        before,
        table.label_names,
        groups.names,
        _surroundings(spec, context),
        context.check_stop,
    )


def _surroundings(spec: TrainSpec, context: StepContext) -> Floats | None:
    """(m, K) means of what is no part of a class, as people answered about the attention; None: nobody is asked.

    Raises:
        SpecRefusedError: they were shown the attention of another network, or of a layer that the head does not see.
    """
    about = answers_about_training(spec, context.store)
    if about is None:
        return None
    space, rows, values = about
    shown, said = attention_shown(space, context.store), values >= 0
    at = shown.positions(rows[said])
    attended, outside = (shown.features(name, at) for name in ("attention", "environment"))
    return regions(shown.maps(at), attended, outside, values[said] == RIGHT)


def _on_validation(layer: Layer, table: ImageTable, pooled: Floats, groups: Grouping) -> dict[str, object]:
    """The metrics on validation, by its features (n_val, K)."""
    val = table.rows("val")
    probabilities = layer.probabilities(pooled)
    return classification_metrics(table.labels[val], probabilities, groups.take(val), None)


def pooled_features(model: Model, table: ImageTable, rows: Rows, spec: TrainSpec, context: StepContext) -> Floats:
    """(n, K) inputs of the head for the rows, as a finished pass of the reference left them, or from one of their own.

    Raises:
        SpecRefusedError: the finished pass is of another model, or has not seen all of the rows.
    """
    if spec.attention is None:
        return _computed(model, table, rows, context)
    return kept_features(spec.attention, str(spec.reference), rows, context)


def kept_features(seen: str, reference: str, rows: Rows, context: StepContext) -> Floats:
    """(n, K) inputs of the head for the rows alone, as the pass ``seen`` over the model ``reference`` left them.

    Or over another model that has the same features.

    Raises:
        SpecRefusedError: the pass is of another model, or has not seen all of the rows.
    """
    require_same_features(seen, reference, context.store)
    result = AttentionResult(context.parent(seen))
    if len(missing := np.setdiff1d(rows, result.rows)):
        raise SpecRefusedError(
            f"The pass {seen} has not seen {len(missing)} of the {len(rows)} images needed: name one that has seen "
            f"their splits, or none."
        )
    return result.features("pooled", result.positions(rows))


def _computed(model: Model, table: ImageTable, rows: Rows, context: StepContext) -> Floats:
    """(n, K); an attempt that resumes goes on where the pass was."""
    folder = context.out / "pooled"
    folder.mkdir()
    attention_pass(model, table, rows, folder, runtime=context.runtime("features"), score_masks=False)
    pooled = AttentionResult(folder).features("pooled")
    shutil.rmtree(folder)
    return pooled
