"""Training: one loop for every objective, on curated rows with repeats, exactly resumable (METHOD S0, S10)."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from slim_core.data.labels_used import GROUPS_IN_TRAINING
from slim_core.errors import SpecRefusedError
from slim_core.metrics import WORST_CLASS
from slim_core.models import eager
from slim_core.models.devices import memory_guard, open_device, own_random_state
from slim_core.models.inference import CACHE_BYTES, Pixels, split_batches
from slim_core.models.model import Model
from slim_core.models.runtime import Runtime
from slim_core.training.config import SELECTED_BY, TrainConfig
from slim_core.training.data import TrainData
from slim_core.training.learner import Learner
from slim_core.training.meter import EpochReport, Meter
from slim_core.training.objectives import OBJECTIVES, Objective, TrainContext
from slim_core.training.patience import has_converged
from slim_core.training.processes.team import ALONE, Team
from slim_core.training.resume import Checkpoints
from slim_core.training.sampling import epoch_order
from slim_core.training.stepper import Stepper
from slim_core.training.validation import selection_score, validation_metrics

__all__ = ["EpochReport", "TrainConfig", "TrainData", "TrainResult", "train"]

_TOO_FEW = "Expected more than 1 value per channel"  # torch has no class of its own for this
GPU_READ_EVERY = 20  # batches: how often the loss is read off a GPU, which waits for it


@dataclass(frozen=True)
class TrainResult:
    """What a training leaves; the model holds the weights of ``best_epoch``."""

    history: list[dict[str, Any]]  # one entry an epoch
    best_epoch: int  # 1-based
    seconds: float
    notes: tuple[str, ...] = ()  # what a reader must know of the groups that it went by


def ignore_report(report: EpochReport) -> None:
    """A progress callback that shows nothing."""
    del report


def train(
    model: Model,
    data: TrainData,
    config: TrainConfig,
    *,
    on_report: Callable[[EpochReport], None] = ignore_report,
    runtime: Runtime | None = None,
    team: Team = ALONE,
) -> TrainResult:
    """Train the model in place, and leave it with the weights of its best epoch.

    Args:
        model: starts from the weights it has.
        data: the images, to train on and to choose the best epoch by.
        config: the hyper-parameters.
        on_report: called after each batch.
        runtime: where it runs; a training resumes from the state in its ``checkpoint_dir``, kept after each epoch.
        team: the processes that share it, each of which calls this with the same model, data and config
            (slim_core.training.processes); the model of the first one has the weights of the best epoch in the end.

    Raises:
        SpecRefusedError: nothing to train on, a class without images, a loss that is not finite, or batches too small
            for the network's batch normalisation.
        MemoryRefusedError: a batch does not fit; it has the size that would.
        ImageRefusedError: an image cannot be read.
        CheckpointRefusedError: ``checkpoint_dir`` belongs to another training.
    """
    runtime = runtime or Runtime()
    target = open_device(runtime.device)
    data.check(model.n_classes)
    if GROUPS_IN_TRAINING in config.labels_used():
        data.check_groups()
    own = _pixels(model, data, team) if data.pixels is None else None
    run = _Run(model, data, config, own or data.pixels, target, runtime, on_report, team)  # type: ignore[arg-type]
    guard = memory_guard(
        math.ceil(config.batch_size / team.size),
        run.once_more,
        smallest=2,
        remedy=lambda n: {"batch_size": n * team.size},
    )
    try:
        with own_random_state(target), _batch_size_refused(run), guard:
            return run.all_epochs()
    finally:
        model.net.eval()
        if own is not None:
            own.close()


def _pixels(model: Model, data: TrainData, team: Team) -> Pixels:
    return Pixels(data.table, model.transform, rows=data.every_row(), cache_bytes=CACHE_BYTES // team.size)


@dataclass
class _Run:
    """One training under way."""

    model: Model
    data: TrainData
    config: TrainConfig
    pixels: Pixels
    device: torch.device
    runtime: Runtime
    on_report: Callable[[EpochReport], None]
    team: Team
    rows: np.ndarray = field(init=False, repr=False)  # (n,) with repeats
    _at: tuple[np.ndarray, np.ndarray] = field(init=False, repr=False)  # own rows and pixels of the current batch
    _stepper: Stepper = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.rows = self.data.repeated()
        self._stepper = Stepper(self.model, self.data, self.config, self.pixels, self.device, self.team)

    def once_more(self, n: int) -> None:
        """The work on n images of the batch that did not fit."""
        rows, images = self._at
        self._stepper.once_more(rows[:n], images[:n])

    def all_epochs(self) -> TrainResult:
        """From the last checkpoint, or the start, to the end.

        Raises:
            SpecRefusedError: the network has no weights to train.
        """
        net = self.model.net.to(self.device)
        if not any(parameter.requires_grad for parameter in net.parameters()):
            raise SpecRefusedError(
                f"{self.model.name} has no weights to train (requires_grad is False for all of them, or it has none): "
                f"leave its last layer trainable, or train a last layer alone (--mode last-layer)."
            )
        learner = Learner.of(net, self._objective(), self.config, self.team)
        checkpoints = Checkpoints(self.runtime.checkpoint_dir, self._key(), self.team)
        state = checkpoints.restore(learner)
        chosen_by = SELECTED_BY.get(self.config.selection, WORST_CLASS)
        while state.epoch < self.config.epochs and not has_converged(state.history, self.config.patience, chosen_by):
            entry = self._epoch(state.epoch, learner)
            state.history.append(entry)
            state.seconds += entry["seconds"]
            state.epoch += 1
            score = selection_score(self.config.selection, state.epoch, entry["val"])
            if score >= state.best_score:
                state.best_score, state.best_epoch = score, state.epoch
                checkpoints.keep_best(net, state.epoch)
            checkpoints.save(learner, state)
        checkpoints.load_best(net, state.best_epoch)
        return TrainResult(state.history, state.best_epoch, state.seconds)

    def _objective(self) -> Objective:
        """The loss.

        Raises:
            SpecRefusedError: it needs the inputs of a linear last layer, and the model has none.
        """
        objective = OBJECTIVES[self.config.objective](self._context())
        if objective.needs_pooled and self.model.head is None:
            raise SpecRefusedError(
                f"{self.model.name} has no linear last layer, whose inputs the objective {self.config.objective} "
                f"needs: choose another model or objective."
            )
        return objective

    def _context(self) -> TrainContext:
        counts = torch.from_numpy(self.data.grouping.counts(self.rows)).to(self.device)
        return TrainContext(self.model.n_classes, counts, self.config.objective_options)

    def _key(self) -> str:
        """What must agree for a training to resume from a checkpoint."""
        about = [self.model.name, self.model.n_classes, self.data.table.fingerprint, self.config.trained_with()]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        for values in (self.rows, self.data.val_rows, self.data.cells):
            if values is not None:
                digest.update(np.ascontiguousarray(values, np.int64).tobytes())
        return digest.hexdigest()

    def _epoch(self, epoch: int, learner: Learner) -> dict[str, Any]:
        """One pass over the training rows and one over the validation rows: an entry of the history."""
        started = time.perf_counter()
        config = self.config
        learner.at_rate(config.lr_at(epoch))
        read_every = GPU_READ_EVERY if self.device.type == "cuda" else 1
        meter = Meter(epoch, config.epochs, len(self.rows), read_every=read_every)
        self.model.net.train()
        for rows, images, generator in self._batches(epoch):
            self.runtime.check_stop()
            self._at = self._stepper.own(rows), images
            meter.add(len(rows), *self._stepper.step(learner, rows, images, generator))
            self._check_loss(meter.loss, epoch)
            self.on_report(meter.report("train", None))
        meter.read()
        self._check_loss(meter.loss, epoch)
        images_per_s = meter.images_per_s
        val = self._validate(lambda: self.on_report(meter.report("validate", None)))
        if val is not None:  # the last step may have been the one too far
            self._check_loss(val["loss"], epoch, "validation")
        self.on_report(meter.report("validate", val))
        return {
            "epoch": epoch + 1,
            "lr": config.lr_at(epoch),
            "train_loss": meter.loss,
            "train_accuracy": meter.accuracy,
            "val": val,
            "images_per_s": images_per_s,
            "seconds": time.perf_counter() - started,
        }

    def _check_loss(self, loss: float, epoch: int, of: str = "training") -> None:
        if not math.isfinite(loss):
            raise SpecRefusedError(
                f"The {of} loss became {loss} in epoch {epoch + 1} at learning rate {self.config.lr_at(epoch):g}: "
                f"take a smaller rate."
            )

    def _batches(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray, torch.Generator]]:
        """(rows, (b, H, W, 3) uint8, generator) in an order, and with random numbers, that (seed, epoch) decide.

        Each process draws the changes of the whole batch from the generator, and decodes the images it computes.
        """
        order = epoch_order(self._balanced_over(), len(self.rows), self.config.seed, epoch)
        seeds = np.random.SeedSequence([self.config.seed, epoch]).generate_state(self.team.size)
        eager.manual_seed(int(seeds[self.team.rank]))  # of dropout; own_random_state puts the caller's state back
        generator = torch.Generator().manual_seed(int(seeds[0]) + 1)
        batches = split_batches(self.rows[order], self.config.batch_size)
        pixels = self.pixels.batches([self._stepper.own(rows) for rows in batches])
        for rows, (_, images) in zip(batches, pixels, strict=True):
            yield rows, images, generator

    def _balanced_over(self) -> np.ndarray | None:
        """(n,) class, group or cell of each row, where an epoch draws these equally often."""
        by, own = self.config.drawn, self.data.cells
        if by == "shuffled" and own is None:
            return None
        known = self.data.table.labels if by == "class-balanced" else self.data.grouping.index
        cells: np.ndarray = (known if own is None else own)[self.rows]
        return cells

    def _validate(self, tick: Callable[[], None]) -> dict[str, Any] | None:
        runtime = replace(self.runtime, on_progress=lambda _done, _total: tick())
        at_once = 2 * math.ceil(self.config.batch_size / self.team.size)
        return validation_metrics(
            self.model, self.data, self.pixels, batch_size=at_once, runtime=runtime, team=self.team
        )


@contextmanager
def _batch_size_refused(run: _Run) -> Iterator[None]:
    """Batch normalisation behind the last pooling has one value an image: a batch of one has no variance there.

    Raises:
        SpecRefusedError: the network has such a layer, and a batch is a single image.
    """
    try:
        yield
    except ValueError as error:
        if _TOO_FEW not in str(error):
            raise
        raise SpecRefusedError(
            f"{run.model.name} normalises over the images of a batch, and batch_size is {run.config.batch_size}: take "
            f"a batch_size of 2 or more."
        ) from error
