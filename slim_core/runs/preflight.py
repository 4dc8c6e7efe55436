"""What is looked at before a run is queued: a step that can only fail is refused at submit, and leaves no run behind.

Whoever queues runs calls it: the command line in its own process, the queue's submitter, the dashboard. Light but for
``require_weights``, which is for processes that load torch anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slim_core.data.groups import GROUPS_IN_TRAINING, no_attribute
from slim_core.data.table import require_for_space
from slim_core.errors import DataRefusedError, SpecRefusedError
from slim_core.models.checkpoints import check_checkpoint_file, check_outputs, check_unchanged
from slim_core.steps.answers import answers_about_training, given_answers, require_head_on_map, require_refit_parents
from slim_core.steps.specs import CurateSpec, EvaluateSpec, GradcamSpec, PreviewSpec, SpaceSpec, Spec, TrainSpec
from slim_core.store.runs.rows import PASSES
from slim_core.training.last_layer import require_groups

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Store


def require_possible(store: Store, spec: Spec) -> None:
    """Refuse a spec whose step can only fail, as far as its data set, its files and its campaign tell now.

    Raises:
        NotFoundError: the data set, the campaign or the space does not exist, or a run whose weights are named.
        DataRefusedError: a split that the step reads has no images.
        CheckpointRefusedError, PathRefusedError: the checkpoint is no file of plain tensors, is of another number of
            classes, or lies elsewhere.
        SpecRefusedError: the strategy has no such option, cannot choose so few images, or balances groups of an
            attribute that no image of train has; or a training is to be chosen by groups that no image of val has, or
            balances groups where there is no attribute; or the fit of a last layer names parents on which it can only
            fail; or answers cannot enter the loss of the network; or a space is to be of too few images, or of some
            that its pass does not see.
        AnswersRefusedError: the strategy needs right answers, or a training any, and there are none.
    """
    dataset = store.datasets.find(spec.dataset)
    if dataset is None:
        return  # the store says so
    table = store.datasets.table_of(dataset)
    if isinstance(spec, TrainSpec):
        _require_training(store, spec, table)
    elif isinstance(spec, GradcamSpec):
        _require_images(table, *spec.splits, all_of_them=False)
    elif isinstance(spec, EvaluateSpec | PreviewSpec):
        _require_images(table, spec.split)
    elif isinstance(spec, SpaceSpec):
        require_for_space(table, spec.split)
        _require_seen(store, spec)
    elif isinstance(spec, CurateSpec):
        _require_curation(store, spec, table)


def require_weights(store: Store, spec: Spec) -> None:
    """Refuse a checkpoint that does not fit its network, and a target layer that is not there. Loads torch.

    Raises:
        CheckpointRefusedError: it does not fit.
        SpecRefusedError: the network has no such layer.
    """
    if isinstance(spec, GradcamSpec | PreviewSpec | EvaluateSpec) and spec.target_layer is not None:
        _require_layer(store, spec.model, spec.target_layer)
    dataset = store.datasets.find(spec.dataset)
    if not isinstance(spec, TrainSpec) or not spec.checkpoint or spec.reference or dataset is None:
        return
    from slim_core.models.build import build
    from slim_core.models.model import load_checkpoint

    model = build(spec.model, dataset.n_classes, weights="none", image_size=spec.image_size)
    load_checkpoint(model, store.settings.allowed(spec.checkpoint), new_head=spec.mode == "full")


def require_devices(store: Store, spec: Spec) -> None:
    """Refuse a training for the queue that more processes share than any living worker holds devices.

    Raises:
        SpecRefusedError: no worker would take it.
    """
    n = spec.processes if isinstance(spec, TrainSpec) else 1
    if n > 1 and not any(worker.serves(spec.queue, n) for worker in store.workers.alive()):
        raise SpecRefusedError(
            f"No worker holds enough devices for {n} processes: start one with `python -m workers --devices {n}`, or "
            f"take fewer processes."
        )


def _require_layer(store: Store, run_id: str, layer: str) -> None:
    """``layout`` looks for the layer; of a model that is not trained yet the step itself does."""
    from slim_core.models.build import load_model

    run = store.runs.find(run_id)
    if run is not None and run.kind == "train" and run.status == "done":
        assert load_model(store.artifacts.folder(run.id)).at_layer(layer).layout


def _require_training(store: Store, spec: TrainSpec, table: ImageTable) -> None:
    if spec.mode != "registered":
        _require_images(table, "train", "val")
        _require_groups_to_choose_by(spec, table)
        _require_groups_to_balance(spec, table)
    if spec.mode == "last-layer":
        require_refit_parents(spec, store)
        answers_about_training(spec, store)
    if spec.checkpoint is not None and spec.reference is None:
        file = store.settings.allowed(spec.checkpoint)
        check_checkpoint_file(file)
        if spec.checkpoint_sha256:  # of a run that is asked for once more
            check_unchanged(file, spec.checkpoint_sha256, is_trained=spec.mode != "registered")
        if spec.mode == "registered":
            check_outputs(file, table.n_classes)


def _require_groups_to_choose_by(spec: TrainSpec, table: ImageTable) -> None:
    """Without an attribute at all, groups are the classes; with one that val lacks, the loss alone would choose."""
    val = table.rows("val")
    if spec.selection != "worst_group" or not table.has_attributes:
        return
    if not (table.attributes[val] >= 0).any():
        raise SpecRefusedError(
            f"The selection worst_group compares groups, but {table.attribute_name} is known of none of the "
            f"{len(val):,} val images of {table.name}: complete the attribute column, or select by worst_class."
        )


def _require_groups_to_balance(spec: TrainSpec, table: ImageTable) -> None:
    """Without an attribute there are none."""
    if spec.mode == "last-layer":
        require_groups(spec.refit, table)
    elif GROUPS_IN_TRAINING in spec.labels_used() and not table.has_attributes:
        raise no_attribute(table, "This training", "objective and sampling")


def _require_images(table: ImageTable, *splits: str, all_of_them: bool = True) -> None:
    empty = [split for split in splits if not len(table.rows(split))]
    if empty and (all_of_them or len(empty) == len(splits)):
        raise DataRefusedError(
            f"{table.name} has no images in {', '.join(empty)}: name another split, or mark some of its images so and "
            f"import it again."
        )


def _require_seen(store: Store, spec: SpaceSpec) -> None:
    """A pass sees all images of its splits, and none of another."""
    seen = store.runs.find(spec.attention)
    if seen is not None and seen.kind in PASSES and spec.split not in seen.spec["splits"]:
        raise SpecRefusedError(
            f"The {seen.kind} run {seen.id} covers the {' and '.join(seen.spec['splits'])} images, not {spec.split}: "
            f"run gradcam with {spec.split} among its splits, or name another split."
        )


def _require_curation(store: Store, spec: CurateSpec, table: ImageTable) -> None:
    from slim_core.curation import (
        LABELS_USED,
        NEEDS_ANSWERS,
        check_options,
        require_attributes,
        require_size,
        require_trusted_answers,
    )
    from slim_core.steps.curate import require_train

    found_by = check_options(spec.strategy, spec.options).environments
    require_size(spec.size, table.n_classes)
    if (space := store.runs.find(spec.space)) is not None and space.kind == "space":
        require_train(space)
        if found_by == "answers":
            require_head_on_map(space, store)
    if LABELS_USED[spec.strategy] == GROUPS_IN_TRAINING:
        require_attributes(table.attributes[table.rows("train")], spec.strategy)
    if spec.campaign is not None:
        store.campaigns.fetch(spec.campaign)
    if spec.strategy in NEEDS_ANSWERS:
        given = given_answers(store, spec.campaign, spec.answers_seq)[1] if spec.campaign else np.empty(0, np.int8)
        require_trusted_answers(given, spec.strategy)
