"""The model that a training starts from; and one that was trained elsewhere, taken as it is."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from slim_core import result_files
from slim_core.data.groups import grouping
from slim_core.data.images.transform import ImageTransform
from slim_core.data.table import ImageTable
from slim_core.metrics import classification_metrics
from slim_core.models.build import build, load_model
from slim_core.models.checkpoint_files import check_unchanged
from slim_core.models.custom import require_logits, takes_pretrained
from slim_core.models.inference import predict
from slim_core.models.model import Model, load_checkpoint, save_model
from slim_core.models.names import is_custom
from slim_core.steps.context import StepContext
from slim_core.steps.specs import TrainSpec


def initial_model(spec: TrainSpec, table: ImageTable, context: StepContext) -> Model:
    """The reference model, or a network with its initial weights, a local checkpoint's where one is given.

    Raises:
        SpecRefusedError: there is no such model, or a network of one's own that gives probabilities.
        WeightsMissingError, CheckpointRefusedError: the initial weights cannot be read, or the file was changed.
    """
    if spec.reference is not None:
        return load_model(context.parent(spec.reference))
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
    asked = {name: getattr(spec, name) for name in ("resize_ratio", "mean", "std")}
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
