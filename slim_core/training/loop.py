"""Training: one loop for every objective, on curated rows with repeats, exactly resumable (METHOD S0, S10)."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from slim_core import result_files
from slim_core.data.groups import GROUPS_IN_TRAINING
from slim_core.errors import CheckpointRefusedError, SpecRefusedError
from slim_core.metrics import ADJUSTED, AVERAGE, GROUPS, WGA, WORST_CLASS, classification_metrics
from slim_core.models import inference
from slim_core.models.checkpoints import misfits, read_tensors, write_tensors
from slim_core.models.inference import (
    CACHE_BYTES,
    Pixels,
    memory_guard,
    open_device,
    own_random_state,
    probabilities_of,
    split_batches,
)
from slim_core.models.model import Model
from slim_core.models.runtime import Runtime
from slim_core.training.config import SELECTED_BY, TrainConfig, TrainData, epoch_order
from slim_core.training.objectives import OBJECTIVES, Objective, TrainContext
from slim_core.training.stepper import ALONE, Learner, Stepper, Team

SHARE = 5  # a fifth of the epochs so far


def has_converged(history: Sequence[Mapping[str, Any]], patience: int | None, metric: str = WORST_CLASS) -> bool:
    """Whether a metric on validation has not risen in the last fifth of the epochs, nor in the last ``patience``.

    A function of the history alone, so that a resumed training ends where it would have ended.

    Args:
        history: one entry an epoch, with "val": metrics, or None where there are no validation rows.
        patience: epochs without a rise that are allowed at least; None: training goes through all its epochs.
        metric: of the validation metrics, what the epoch is chosen by.
    """
    if patience is None or not history:
        return False
    since = len(history) - _last_rise(history, metric)
    return since >= max(patience, len(history) / SHARE)


def _last_rise(history: Sequence[Mapping[str, Any]], metric: str) -> int:
    """The first epoch (1-based) that reached the highest value; the last one where none is known."""
    reached = [(entry["val"] or {}).get(metric) for entry in history]
    known = [value for value in reached if value is not None]
    return reached.index(max(known)) + 1 if known else len(history)


@dataclass(frozen=True)
class EpochReport:
    """Progress of a training, reported after each batch."""

    epoch: int  # 1-based
    epochs: int
    done: int  # images, over all epochs
    total: int
    train_loss: float  # mean over this epoch so far
    val: dict[str, Any] | None  # validation metrics, once an epoch ends
    images_per_s: float
    phase: Literal["train", "validate"]


class Meter:
    """Running loss, accuracy and speed of one epoch.

    Reading a number off a GPU waits for all that was asked of it, so that it is done once in so many batches.
    """

    def __init__(self, epoch: int, epochs: int, n_images: int, *, read_every: int = 1) -> None:
        self._epoch, self._epochs, self._n_images, self._read_every = epoch, epochs, n_images, read_every
        self._started, self._elapsed = time.perf_counter(), 0.0
        self._n, self._n_read, self._loss, self._n_right = 0, 0, 0.0, 0
        self._unread: list[tuple[int, Tensor, Tensor]] = []

    def add(self, n: int, loss: Tensor, n_right: Tensor) -> None:
        """Count a batch of ``n`` images: its mean loss, and how many were predicted correctly, both scalars."""
        self._n += n
        self._unread.append((n, loss, n_right))
        if len(self._unread) >= self._read_every:
            self.read()

    def read(self) -> None:
        """Wait for the numbers of the batches so far."""
        if not self._unread:
            return
        counts, losses, rights = zip(*self._unread, strict=True)
        self._unread = []
        for n, loss, n_right in zip(counts, torch.stack(losses).tolist(), torch.stack(rights).tolist(), strict=True):
            self._n_read += n
            self._loss += n * loss
            self._n_right += n_right
        self._elapsed = time.perf_counter() - self._started

    @property
    def loss(self) -> float:
        """Mean over the images that were read so far."""
        return self._loss / max(1, self._n_read)

    @property
    def accuracy(self) -> float:
        """Share predicted correctly of those, each before its batch's step."""
        return self._n_right / max(1, self._n_read)

    @property
    def images_per_s(self) -> float:
        """Training speed, validation left out."""
        return self._n_read / max(1e-9, self._elapsed)

    def report(self, phase: Literal["train", "validate"], val: dict[str, Any] | None) -> EpochReport:
        """The progress after a batch."""
        done, total = self._epoch * self._n_images + self._n, self._epochs * self._n_images
        return EpochReport(self._epoch + 1, self._epochs, done, total, self.loss, val, self.images_per_s, phase)


_KEPT = (WGA, AVERAGE, ADJUSTED, WORST_CLASS)  # of the metrics, in the history


def validation_metrics(
    model: Model, data: TrainData, pixels: Pixels, *, batch_size: int, runtime: Runtime, team: Team = ALONE
) -> dict[str, Any] | None:
    """Metrics of the model as it is now on the validation rows; None where there are none.

    The adjusted average is weighted as that of an evaluation is, by the data set's training images: also where a subset
    of them, in which groups are balanced, is trained on.

    Returns:
        wga, average, adjusted_average and worst_class, the groups' accuracies, and loss: the mean cross-entropy.
    """
    rows = data.val_rows
    if not len(rows):
        return None
    share = team.share(slice(0, len(rows)))
    # not refused where it is not finite: the loss, which is not either then, names what a training can be given instead
    own = probabilities_of(model, rows[share], pixels, batch_size=batch_size, runtime=runtime, guarded=False)
    probabilities = team.gather(torch.from_numpy(own).to(team.device), share, len(rows)).cpu().numpy()  # (n_val, C)
    labels, groups = data.table.labels[rows], data.grouping
    of_train = groups.counts(data.table.rows("train"))
    metrics = classification_metrics(labels, probabilities, groups.take(rows), of_train)
    likelihood = probabilities[np.arange(len(labels)), labels].clip(1e-12)
    kept = {key: metrics[key] for key in _KEPT}
    return {**kept, GROUPS: metrics[GROUPS], "loss": float(-np.log(likelihood).mean())}


def selection_score(selection: str, epoch: int, val: dict[str, Any] | None) -> tuple[float, float]:
    """(the selection's metric, minus the validation loss): ties go to the smaller loss, and to the later epoch.

    Without validation rows, and under the selection "last", the last epoch scores highest.
    """
    if val is None or selection == "last":
        return float(epoch), 0.0
    value = val[SELECTED_BY[selection]]
    return (float("-inf") if value is None else value), -val["loss"]


STATE_FILE = "state.pt"
_STATE = "course"  # its name in the file since the first version


@dataclass
class TrainState:
    """How far a training is, and its history."""

    epoch: int = 0  # epochs finished
    best_epoch: int = 0  # 1-based; 0: none yet
    best_score: tuple[float, float] = (float("-inf"), float("-inf"))
    seconds: float = 0.0  # of all attempts together
    history: list[dict[str, Any]] = field(default_factory=list)


class Checkpoints:
    """The state after the last epoch, and the weights of the best one; in memory where no folder is given.

    Of several processes that share a training the first one reads and writes the folder, and the others keep nothing.
    Two attempts that believe they own it, as where one was frozen meanwhile, write the same, and neither removes what
    the other needs.
    """

    def __init__(self, folder: Path | None, key: str, team: Team = ALONE) -> None:
        """``key`` says what is being trained: a folder of another training is refused."""
        self._folder, self._key, self._team = folder, key, team
        self._best: dict[str, Tensor] = {}

    def restore(self, learner: Learner) -> TrainState:
        """Fill it from the last checkpoint, if there is one.

        Raises:
            CheckpointRefusedError: the folder belongs to another training or another network, or its state is damaged.
        """
        found = self._team.broadcast(self._read() if self._team.is_first else None)
        if found is None:
            return TrainState()
        if found["key"] != self._key:
            raise CheckpointRefusedError(
                f"{self._folder} holds the checkpoint of another training (other images or settings): "
                f"delete that folder, or choose another."
            )
        if other := misfits(found["model"], learner.net):
            raise CheckpointRefusedError(
                f"{self._folder} holds the weights of another network ({other[0]}), whose code was changed since its "
                f"training began: put it back as it was, or delete that folder, and the training begins again."
            )
        learner.restore(found)
        about = json.loads(found[_STATE])
        return TrainState(**{**about, "best_score": tuple(about["best_score"])})

    def _read(self) -> Any:
        """What the last checkpoint holds; None where there is none."""
        if self._folder is None or not (self._folder / STATE_FILE).is_file():
            return None
        try:
            return read_tensors(self._folder / STATE_FILE)
        except CheckpointRefusedError as error:  # its remedy is that of a file that somebody has chosen
            raise CheckpointRefusedError(
                f"{self._folder / STATE_FILE} is damaged: delete that folder, and the training begins again."
            ) from error

    def keep_best(self, net: nn.Module, epoch: int) -> None:
        """Remember these weights as the best so far."""
        if not self._team.is_first:
            return
        weights = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in net.state_dict().items()}
        if self._folder is None:
            self._best = weights
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with result_files.atomic_write(self._best_path(epoch)) as draft:
            write_tensors(weights, draft)

    def save(self, learner: Learner, state: TrainState) -> None:
        """Write the state after an epoch; a crash while writing leaves the one before."""
        if self._folder is None or not self._team.is_first:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        written = {"key": self._key, **learner.state(), _STATE: json.dumps(vars(state))}
        # a path would be written by C++, which reports a full disk as something else
        with result_files.atomic_write(self._folder / STATE_FILE) as draft, draft.open("wb") as file:
            torch.save(written, file)
        with result_files.atomic_write(self._folder / result_files.HISTORY) as draft:
            draft.write_text(json.dumps(state.history))
        for best in self._folder.glob("best-*.safetensors"):
            if best < self._best_path(state.best_epoch):  # a later one is another attempt's, which is further
                best.unlink(missing_ok=True)

    def load_best(self, net: nn.Module, epoch: int) -> None:
        """Fill the network with the weights of the best epoch."""
        if not self._team.is_first:
            return
        net.load_state_dict(self._best if self._folder is None else load_file(self._best_path(epoch)))

    def _best_path(self, epoch: int) -> Path:
        assert self._folder is not None
        return self._folder / f"best-{epoch:05d}.safetensors"


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
        MemoryRefusedError: a batch does not fit; it names the one to try next.
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
    guard = memory_guard(config.batch_size, smallest=2 * team.size)
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
    _stepper: Stepper = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.rows = self.data.repeated()
        self._stepper = Stepper(self.model, self.data, self.config, self.pixels, self.device, self.team)

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
        inference.manual_seed(int(seeds[self.team.rank]))  # of dropout; own_random_state puts the caller's state back
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
