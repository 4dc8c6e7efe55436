"""Train the reference model, retrain on a subset, refit the last layer (METHOD.md S0 and S10), or register a model."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slim_core import result_files
from slim_core.attention.attention_pass import attention_pass
from slim_core.curation import LABELS_USED
from slim_core.data.groups import GROUPS_IN_TRAINING, Grouping, grouping
from slim_core.data.images.codec import ImageTransform
from slim_core.data.table import ImageTable
from slim_core.errors import DataRefusedError, SpecRefusedError
from slim_core.metrics import classification_metrics
from slim_core.models.build import build, load_model, require_logits, takes_pretrained
from slim_core.models.checkpoints import check_unchanged
from slim_core.models.inference import predict
from slim_core.models.model import Model, load_checkpoint, save_model
from slim_core.models.names import is_custom
from slim_core.steps.answers import answers_about_training, attention_shown, given_answers, require_same_features
from slim_core.steps.context import StepContext
from slim_core.steps.specs import TrainSpec
from slim_core.store.campaigns.consensus import RIGHT
from slim_core.store.results import AttentionResult, SubsetResult
from slim_core.training.config import TrainData
from slim_core.training.last_layer import (
    REFITS,
    Layer,
    PooledImages,
    RefitData,
    apply_last_layer,
    read_last_layer,
    regions,
    require_groups,
)
from slim_core.training.loop import EpochReport, TrainResult, train
from slim_core.training.objectives import OBJECTIVES, Predicted
from slim_core.training.processes import train_in_processes

Rows = NDArray[np.int64]
DRAWN = "training image, which is drawn as often as all images of any other group together"
CHOSEN_BY = "validation image, which alone can decide the selection by worst group"
_NAMED = 10  # groups in a sentence


def left_out(names: Sequence[str]) -> list[str]:
    """A note about groups that a training by groups goes without, if any."""
    why = "Left out of the balance of groups, as there are too few images of them to train on"
    return [f"{why}: {_listed(names)}."] if names else []


def single_images(groups: Grouping, rows: Rows, used: str, other: str) -> list[str]:
    """A note about groups with a single image among the rows, if any.

    Args:
        groups: of all images.
        rows: distinct positions.
        used: what becomes of these images, DRAWN or CHOSEN_BY.
        other: what to choose another of.
    """
    names = [name for name, n in zip(groups.names, groups.counts(rows), strict=True) if n == 1]
    remedy = f"Add images of them, or choose another {other}."
    return [f"Groups with a single {used}: {_listed(names)}. {remedy}"] if names else []


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{'; '.join(names[:_NAMED])}{more}"


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
    groups, notes = _groups_of_refit(spec, table, rows)
    val = table.rows("val")
    on_val = REFITS[spec.refit].fitted_on == "val"
    seen = rows if on_val else np.concatenate([rows, val])
    pooled = pooled_features(model, table, seen, spec, context)  # (n, K) of the rows, and behind them those of val
    data = _refit_data(before, table, rows, counts, pooled, groups, spec, context)
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


def _groups_of_refit(spec: TrainSpec, table: ImageTable, rows: Rows) -> tuple[Grouping, tuple[str, ...]]:
    """The groups, and what a reader must know of those that the refit balances, or that it is chosen by."""
    groups, by_group = grouping(table), REFITS[spec.refit].uses_groups()
    notes = left_out(groups.lacking(rows) if by_group else ())
    if _is_chosen_by_group(spec):
        notes += single_images(groups, table.rows("val"), CHOSEN_BY, "refit" if by_group else "selection")
    return groups, tuple(notes)


def _is_chosen_by_group(spec: TrainSpec) -> bool:
    return REFITS[spec.refit].uses_groups() or spec.selection == "worst_group"


def _refit_data(
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


def initial_model(spec: TrainSpec, table: ImageTable, context: StepContext) -> Model:
    """The reference model, or a network with its initial weights, a local checkpoint's where one is given.

    Raises:
        SpecRefusedError: there is no such model, or a network of one's own that gives probabilities.
        WeightsMissingError, CheckpointRefusedError: the initial weights cannot be read, or the file was changed.
    """
    if spec.reference is not None:
        reference = load_model(context.parent(spec.reference))
        if (known := reference.transform.fit) != spec.fit:
            raise SpecRefusedError(f"The reference model sees images by fit {known}, not {spec.fit}: take fit {known}.")
        return reference
    path = context.store.settings.allowed(spec.checkpoint) if spec.checkpoint else None
    if path and spec.checkpoint_sha256:
        check_unchanged(path, spec.checkpoint_sha256, is_trained=spec.mode != "registered")
    model = build(
        spec.model,
        table.n_classes,
        label_names=table.label_names,
        weights="none" if path else spec.weights,
        image_size=spec.image_size,
        seed=spec.seed,
    )
    model.transform = _as_asked(model.transform, spec)
    if path:
        load_checkpoint(model, path, new_head=spec.mode != "registered")
    if is_custom(spec.model):
        require_logits(model)
    return model


def weights_note(spec: TrainSpec) -> str | None:
    """What the weights of the spec do not say: those of a network that cannot be asked for pretrained ones."""
    is_asked = spec.weights == "imagenet" and spec.reference is None and spec.checkpoint is None
    if not is_asked or not is_custom(spec.model) or takes_pretrained(spec.model):
        return None
    return (
        f"{spec.model} has no parameter pretrained: no ImageNet weights were loaded, and the training began from the "
        f"weights that the function gives. If these are new ones, take weights none, with the epochs that are proposed "
        f"for a network from scratch."
    )


def _as_asked(transform: ImageTransform, spec: TrainSpec) -> ImageTransform:
    """The model's own transform of its images, but for what the spec gives."""
    asked = {name: getattr(spec, name) for name in ("fit", "resize_ratio", "mean", "std")}
    return replace(transform, **{name: value for name, value in asked.items() if value is not None})


def register(spec: TrainSpec, table: ImageTable, context: StepContext) -> dict[str, Any]:
    """Leave what a training leaves, of the model in the spec's checkpoint: no epoch, and its metrics on validation.

    Raises:
        CheckpointRefusedError: the file was changed since it was registered, or does not fit the model and the classes.
    """
    started = time.perf_counter()
    model = initial_model(spec, table, context)
    rows, metrics = table.rows("val"), None
    if len(rows):
        probabilities = predict(model, table, rows, runtime=replace(context.runtime("validate"), checkpoint_dir=None))
        metrics = classification_metrics(table.labels[rows], probabilities, grouping(table).take(rows), None)
    save_model(model, context.out)
    (context.out / result_files.HISTORY).write_text(json.dumps([]))
    return {"epochs": 0, "seconds": round(time.perf_counter() - started, 3), "val": metrics}


REPEATS, CELLS = "repeats.npy", "cells.npy"  # among the checkpoints


def run(spec: TrainSpec, context: StepContext) -> dict[str, Any]:
    """Train as the spec says; leaves weights.safetensors, model.json, history.json.

    Returns:
        images (repeats included), images_unique, epochs, best_epoch, seconds, val: the metrics of the epoch kept, and,
        where answers are used, answered: how many of each campaign; where groups that are balanced or chosen by have
        too few images, or the weights of the spec are not those that were taken, report: its notes say so. Of a model
        that was trained elsewhere: as initial_model.register.

    Raises:
        DataRefusedError: a split has no images, or a class of the data has none to train on.
        AnswersRefusedError, SpecRefusedError: a campaign has no answers, or not about the images they are needed for.
        WeightsMissingError, CheckpointRefusedError: the initial weights cannot be read.
    """
    table = context.table(spec.dataset)
    if spec.mode == "registered":
        return register(spec, table, context)
    rows, counts = training_rows(spec, table, context)
    _check_rows(table, rows, spec, context)
    counts = repeated(spec, table, rows, counts, context)
    model = initial_model(spec, table, context)
    if spec.mode == "last-layer":
        result = refit(model, table, rows, counts, spec, context)
    else:
        result = _train(model, table, rows, counts, spec, context)
    save_model(model, context.out)
    (context.out / result_files.HISTORY).write_text(json.dumps(result.history, indent=1))
    return _metrics(result, rows, counts) | _notes(spec, result, context) | _answers_used(spec, context)


def _notes(spec: TrainSpec, result: TrainResult, context: StepContext) -> dict[str, Any]:
    """What a reader of the run must know, where there is something; the log has it, too."""
    of_weights = weights_note(spec)
    notes = [] if of_weights is None else [of_weights]
    notes += result.notes
    for note in notes:
        context.log.warning(note)
    return {"report": {"notes": notes}} if notes else {}


def training_rows(spec: TrainSpec, table: ImageTable, context: StepContext) -> tuple[Rows, Rows | None]:
    """Rows to train on, and how often each is used: the subset's, or all of train (or val) once (counts None)."""
    if spec.subset is None:
        return table.rows(REFITS[spec.refit].fitted_on if spec.mode == "last-layer" else "train"), None
    chosen = SubsetResult(context.parent(spec.subset)).images()
    return chosen["row"].to_numpy(np.int64), chosen["count"].to_numpy(np.int64)


def repeated(spec: TrainSpec, table: ImageTable, rows: Rows, counts: Rows | None, context: StepContext) -> Rows | None:
    """The counts, times how often the objective sees each row; found once, and kept for an attempt that resumes."""

    def find() -> Rows | None:
        found = OBJECTIVES[spec.objective].repeats(*_of_earlier(spec, table, rows, context))
        return found if found is None or counts is None else found * counts

    times = _found_once(context.checkpoint_dir / REPEATS, find)
    return counts if times is None else times


def cells(spec: TrainSpec, table: ImageTable, rows: Rows, context: StepContext) -> Rows | None:
    """(N,) the objective's cell of each row of the table, -1 outside the training rows; kept as ``repeated`` is."""

    def find() -> Rows | None:
        return OBJECTIVES[spec.objective].cells(*_of_earlier(spec, table, rows, context))

    found = _found_once(context.checkpoint_dir / CELLS, find)
    if found is None:
        return None
    of_all = np.full(len(table), -1, np.int64)
    of_all[rows] = found
    return of_all


def _of_earlier(
    spec: TrainSpec, table: ImageTable, rows: Rows, context: StepContext
) -> tuple[dict[str, Any], Rows, Predicted]:
    """What an objective may know of the training rows: its options, their labels, and what an earlier run predicts."""
    return (
        spec.objective_options,
        table.labels[rows],
        lambda run_id: predicted_by(run_id, table, rows, context),
    )


def _found_once(kept: Path, find: Callable[[], Rows | None]) -> Rows | None:
    """What was kept of an earlier attempt, else what is found now, if anything."""
    if kept.is_file():
        return np.asarray(np.load(kept), np.int64)
    found = find()
    if found is None:
        return None
    whole = np.asarray(found, np.int64)
    with result_files.atomic_write(kept) as draft, draft.open("wb") as file:
        np.save(file, whole)
    return whole


def predicted_by(run_id: str, table: ImageTable, rows: Rows, context: StepContext) -> Rows:
    """(n,) classes that the model of a train run predicts."""
    runtime = replace(context.runtime("errors"), checkpoint_dir=None)
    probabilities = predict(load_model(context.parent(run_id)), table, rows, runtime=runtime)
    return np.asarray(probabilities.argmax(axis=1), np.int64)


def _check_rows(table: ImageTable, rows: Rows, spec: TrainSpec, context: StepContext) -> None:
    for split in ("train", "val"):
        if not len(table.rows(split)):
            raise DataRefusedError(
                f"{table.name} has no {split} images: training needs train and val; correct the split column "
                f"and import the data set again."
            )
    if missing := table.classes_without(rows):
        raise DataRefusedError(
            f"There is no image of {', '.join(missing)} among the {len(rows)} to train on: "
            f"{_where_to_find(missing, table, spec, context)}."
        )


def _where_to_find(missing: Sequence[str], table: ImageTable, spec: TrainSpec, context: StepContext) -> str:
    """What brings images of the missing classes among those to train on."""
    train = table.rows("train")
    if spec.subset is None or set(missing) & set(table.classes_without(train)):
        return "correct the split column and import the data set again"
    strategy = context.store.runs.fetch(spec.subset).spec["strategy"]
    known = train[table.attributes[train] >= 0]
    unknown = [name for name in table.classes_without(known) if name in missing]
    if unknown and LABELS_USED.get(strategy) == GROUPS_IN_TRAINING:
        return (
            f"{strategy} leaves out images whose {table.attribute_name} is unknown, and of {', '.join(unknown)} there "
            f"is no other in train; complete the attribute column, or choose another strategy"
        )
    return "choose a larger subset, or another strategy"


def _train(
    model: Model, table: ImageTable, rows: Rows, counts: Rows | None, spec: TrainSpec, context: StepContext
) -> TrainResult:
    data = TrainData(
        table,
        rows,
        table.rows("val"),
        grouping(table),
        counts,
        cells=cells(spec, table, rows, context),
    )
    observed: dict[str, Any] = {
        "on_report": lambda report: _report(report, context),
        "runtime": context.runtime("train"),
    }
    if spec.processes > 1:
        result = train_in_processes(model, data, spec, spec.processes, **observed)
    else:
        result = train(model, data, spec, **observed)
    return replace(result, notes=_of_groups(data, spec))


def _of_groups(data: TrainData, spec: TrainSpec) -> tuple[str, ...]:
    """Notes about the groups that are balanced, and those that the epoch is chosen by."""
    notes = left_out(data.groups_left_out() if GROUPS_IN_TRAINING in spec.labels_used() else ())
    if spec.drawn == "group-balanced" and data.cells is None:
        notes += single_images(data.grouping, data.rows, DRAWN, "objective and sampling")
    if spec.selection == "worst_group":
        notes += single_images(data.grouping, data.val_rows, CHOSEN_BY, "selection")
    return tuple(notes)


def _answers_used(spec: TrainSpec, context: StepContext) -> dict[str, Any]:
    """The metric "answered", where the refit has used answers."""
    asked = spec.answers()
    if asked is None:
        return {}
    return {"answered": {asked.campaign: len(given_answers(context.store, asked.campaign, asked.answers_seq)[0])}}


def _report(report: EpochReport, context: StepContext) -> None:
    values = {key: value for key, value in asdict(report).items() if key not in ("done", "total", "phase")}
    context.progress(report.done, report.total, report.phase, **values)


def _metrics(result: TrainResult, rows: Rows, counts: Rows | None) -> dict[str, Any]:
    best = next((epoch for epoch in result.history if epoch.get("epoch") == result.best_epoch), {})
    return {
        "images": int(counts.sum()) if counts is not None else len(rows),
        "images_unique": len(rows),
        "epochs": len(result.history),
        "best_epoch": result.best_epoch,
        "seconds": round(result.seconds, 3),
        "val": best.get("val"),
    }
