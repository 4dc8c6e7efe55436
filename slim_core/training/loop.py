"""Training: one loop for every objective, on curated rows with repeats, exactly resumable (METHOD S0, S10)."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slim_core.data.groups import Grouping
from slim_core.data.table import ImageTable
from slim_core.errors import SpecRefusedError
from slim_core.models.devices import half_precision, memory_guard, open_device, own_random_state
from slim_core.models.model import Model
from slim_core.models.pixels import Pixels, augment, split_batches, to_input
from slim_core.models.prediction import keep_going, predict
from slim_core.training.config import TrainConfig
from slim_core.training.meter import EpochReport, Meter
from slim_core.training.objectives import OBJECTIVES, Batch, Objective, Setting, class_weights
from slim_core.training.resume import Checkpoints, Course
from slim_core.training.validation import selection_score, validation_metrics

__all__ = ["EpochReport", "Pixels", "TrainConfig", "TrainResult", "predict", "train"]


@dataclass(frozen=True)
class TrainResult:
    """What came of it; the model holds the weights of ``best_epoch``."""

    history: list[dict[str, Any]]  # one entry an epoch
    best_epoch: int  # 1-based
    seconds: float


def ignore_report(report: EpochReport) -> None:
    """A progress callback that tells nobody."""
    del report


def train(
    model: Model,
    table: ImageTable,
    rows: np.ndarray,
    counts: np.ndarray | None,
    config: TrainConfig,
    *,
    val_rows: np.ndarray,
    grouping: Grouping,
    on_progress: Callable[[EpochReport], None] = ignore_report,
    check_stop: Callable[[], None] = keep_going,
    checkpoint_dir: Path | None = None,
    device: str = "cpu",
    pixels: Pixels | None = None,
) -> TrainResult:
    """Train the model in place, and leave it with the weights of its best epoch.

    Args:
        model: starts from the weights it has.
        table: N images.
        rows: (n,) positions to train on.
        counts: (n,) how often each is seen in an epoch; None: once.
        config: how.
        val_rows: positions the best epoch is chosen on; empty: the last epoch is kept.
        grouping: groups of all N images, for the metrics (and for objectives that say they use groups).
        on_progress: called after each batch.
        check_stop: called before each batch; raises to end the training.
        checkpoint_dir: where the state is kept after each epoch, and taken up again.
        device: "cpu", "cuda" or "cuda:0".
        pixels: images already decoded under ``model.transform``; several trainings may share them.

    Raises:
        SpecRefusedError: nothing to train on, a class without images, a loss that is no number, or memory too small.
        ImageRefusedError: an image cannot be read.
        CheckpointRefusedError: ``checkpoint_dir`` belongs to another training.
    """
    target = open_device(device)
    rows, counts = _checked(model, table, rows, counts)
    own = Pixels(table, model.transform, rows=np.concatenate([rows, val_rows])) if pixels is None else None
    run = _Run(model, table, np.repeat(rows, counts), val_rows, grouping, config, own or pixels, target, check_stop)  # type: ignore[arg-type]
    try:
        with own_random_state(target), memory_guard(config.batch_size, run.once_more, smallest=2):
            run.freeze()
            return run.all_epochs(on_progress, checkpoint_dir)
    finally:
        model.net.requires_grad_(True)
        model.net.eval()
        if own is not None:
            own.close()


def _checked(
    model: Model, table: ImageTable, rows: np.ndarray, counts: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.asarray(rows, np.int64)
    counts = np.ones(len(rows), np.int64) if counts is None else np.asarray(counts, np.int64)
    if model.n_classes != table.n_classes:
        raise SpecRefusedError(
            f"The model tells {model.n_classes} classes apart and {table.name} has {table.n_classes}: "
            f"build it for this data set."
        )
    seen = np.bincount(table.labels[rows], weights=counts, minlength=table.n_classes)
    missing = [table.label_names[c] for c in np.flatnonzero(seen == 0)]
    if missing:
        raise SpecRefusedError(
            f"The {len(rows)} training images hold none of the class {', '.join(missing)}: "
            f"choose images of every class."
        )
    return rows, counts


@dataclass
class _Run:
    """One training under way."""

    model: Model
    table: ImageTable
    rows: np.ndarray  # (n,) with repeats
    val_rows: np.ndarray
    grouping: Grouping
    config: TrainConfig
    pixels: Pixels
    device: torch.device
    check_stop: Callable[[], None]
    _at: tuple[np.ndarray, np.ndarray] = field(init=False, repr=False)  # rows and pixels of the current batch

    def once_more(self, n: int) -> None:
        """The work on n images of the batch that did not fit: down and up in training, forward in validation."""
        rows, images = self._at
        rows, images = rows[:n], images[:n]
        self._to_training_mode()
        inputs = to_input(images, self.model.transform, self.device)
        with half_precision(self.device):
            _, logits = self._forward(inputs, needs_pooled=False)
        labels = torch.from_numpy(self.table.labels[rows]).to(self.device)
        nn.functional.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        with torch.inference_mode():
            self.model.net.eval()(to_input(np.concatenate([images, images]), self.model.transform, self.device))

    def freeze(self) -> None:
        """Keep gradients off the backbone where the head alone is trained."""
        if self.config.trainable == "head":
            if self.model.head is None:
                raise SpecRefusedError(f"{self.model.name} has no linear last layer to train alone: train all of it.")
            self.model.net.requires_grad_(False)
            self.model.head.requires_grad_(True)

    def all_epochs(self, on_progress: Callable[[EpochReport], None], checkpoint_dir: Path | None) -> TrainResult:
        """From the last checkpoint, or the start, to the end."""
        net = self.model.net.to(self.device)
        optimizer = self._optimizer()
        objective = OBJECTIVES[self.config.objective](self._setting())
        checkpoints = Checkpoints(checkpoint_dir, self._key())
        course = checkpoints.restore(net, optimizer, objective)
        while course.epoch < self.config.epochs:
            entry = self._epoch(course, optimizer, objective, on_progress)
            course.history.append(entry)
            course.seconds += entry["seconds"]
            course.epoch += 1
            score = selection_score(self.config.selection, course.epoch, entry["val"])
            if score >= course.best_score:
                course.best_score, course.best_epoch = score, course.epoch
                checkpoints.keep_best(net, course.epoch)
            checkpoints.save(net, optimizer, objective, course)
        checkpoints.load_best(net, course.best_epoch)
        return TrainResult(course.history, course.best_epoch, course.seconds)

    def _optimizer(self) -> torch.optim.Optimizer:
        parameters = [parameter for parameter in self.model.net.parameters() if parameter.requires_grad]
        return torch.optim.SGD(
            parameters, lr=self.config.lr, momentum=self.config.momentum, weight_decay=self.config.weight_decay
        )

    def _setting(self) -> Setting:
        labels = torch.from_numpy(self.table.labels[self.rows])
        weights = class_weights(labels, self.model.n_classes).to(self.device) if self.config.class_weights else None
        counts = torch.from_numpy(self.grouping.counts(self.rows)).to(self.device)
        return Setting(self.model.n_classes, weights, counts, self.config.objective_options)

    def _key(self) -> str:
        """What must agree for a checkpoint to be taken up."""
        about = [self.model.name, self.model.n_classes, self.table.fingerprint, asdict(self.config)]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        for rows in (self.rows, self.val_rows):
            digest.update(np.ascontiguousarray(rows, np.int64).tobytes())
        return digest.hexdigest()

    def _epoch(
        self,
        course: Course,
        optimizer: torch.optim.Optimizer,
        objective: Objective,
        on_progress: Callable[[EpochReport], None],
    ) -> dict[str, Any]:
        """One pass over the training rows and one over the validation rows: an entry of the history."""
        started = time.perf_counter()
        epoch, config = course.epoch, self.config
        for group in optimizer.param_groups:
            group["lr"] = config.lr_at(epoch)
        meter = Meter(epoch, config.epochs, len(self.rows))
        self._to_training_mode()
        for rows, images, generator in self._batches(epoch):
            self.check_stop()
            self._at = rows, images
            loss, n_right = self._step(rows, images, generator, optimizer, objective)
            if not math.isfinite(loss):
                raise SpecRefusedError(
                    f"The training loss became {loss} in epoch {epoch + 1} at learning rate {config.lr_at(epoch):g}: "
                    f"take a smaller rate."
                )
            meter.add(len(rows), loss, n_right)
            on_progress(meter.report("train", None))
        images_per_s = meter.images_per_s
        val = self._validate(lambda: on_progress(meter.report("validate", None)))
        on_progress(meter.report("validate", val))
        return {
            "epoch": epoch + 1,
            "lr": config.lr_at(epoch),
            "train_loss": meter.loss,
            "train_accuracy": meter.accuracy,
            "val": val,
            "images_per_s": images_per_s,
            "seconds": time.perf_counter() - started,
        }

    def _to_training_mode(self) -> None:
        only_head = self.config.trainable == "head"  # a frozen backbone keeps its batch statistics too
        self.model.net.train(not only_head)

    def _batches(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray, torch.Generator]]:
        """(rows, (B, H, W, 3) uint8, generator) in an order, and with random numbers, that (seed, epoch) decide."""
        order = np.random.default_rng([self.config.seed, epoch]).permutation(len(self.rows))
        seed = int(np.random.SeedSequence([self.config.seed, epoch]).generate_state(1)[0])
        torch.manual_seed(seed)  # of dropout; the caller's state is put back by own_random_state
        generator = torch.Generator().manual_seed(seed + 1)
        for rows, images in self.pixels.batches(split_batches(self.rows[order], self.config.batch_size)):
            yield rows, images, generator

    def _step(
        self,
        rows: np.ndarray,
        images: np.ndarray,
        generator: torch.Generator,
        optimizer: torch.optim.Optimizer,
        objective: Objective,
    ) -> tuple[float, int]:
        """One step down: the batch's loss before it, and how many predictions were right."""
        inputs = to_input(images, self.model.transform, self.device)
        if self.config.augment:
            inputs = augment(inputs, generator)
        with half_precision(self.device):
            pooled, logits = self._forward(inputs, objective.needs_pooled)
        batch = Batch(
            rows=torch.from_numpy(rows).to(self.device),
            labels=torch.from_numpy(self.table.labels[rows]).to(self.device),
            groups=torch.from_numpy(self.grouping.index[rows]).to(self.device),
            pooled=pooled,
            logits=logits.float(),
        )
        loss = objective.loss(batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.item(), int((logits.argmax(1) == batch.labels).sum().item())

    def _forward(self, inputs: Tensor, needs_pooled: bool) -> tuple[Tensor | None, Tensor]:
        head: nn.Linear | None = self.model.head if needs_pooled else None
        seen: list[Tensor] = []
        handle = head.register_forward_pre_hook(lambda _, given: seen.append(given[0])) if head is not None else None
        logits: Tensor = self.model.net(inputs)
        if handle is not None:
            handle.remove()
        return (seen[0] if seen else None), logits

    def _validate(self, tick: Callable[[], None]) -> dict[str, Any] | None:
        return validation_metrics(
            self.model,
            self.table,
            self.val_rows,
            self.grouping,
            self.rows,
            batch_size=2 * self.config.batch_size,
            device=str(self.device),
            tick=tick,
            check_stop=self.check_stop,
            pixels=self.pixels,
        )
