"""A step of a training: pixels in, the loss out, and the weights have moved."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from slim_core.errors import SpecRefusedError
from slim_core.models.devices import to_device
from slim_core.models.model import Model
from slim_core.models.pixels import Pixels, to_input
from slim_core.training.augmentation import Drawn, augment, draw
from slim_core.training.config import TrainConfig
from slim_core.training.data import TrainData
from slim_core.training.learner import Learner
from slim_core.training.objectives import Batch, ExtraImages
from slim_core.training.precision import autocast
from slim_core.training.processes.team import ALONE, Team, without_exchange


@dataclass(frozen=True)
class _Part:
    """Images of a batch that are computed at once: by all processes together, and by this one."""

    of_all: slice
    own: slice

    @property
    def n(self) -> int:
        """How many all processes compute."""
        return int(self.of_all.stop - self.of_all.start)

    @property
    def place(self) -> slice:
        """Where this process's own images lie among those of all."""
        return slice(self.own.start - self.of_all.start, self.own.stop - self.of_all.start)


@dataclass(frozen=True)
class _Outputs:
    """What a step's forward pass leaves."""

    logits: Tensor  # (B, C) of the batch
    pooled: Tensor | None  # (B, K), where asked for
    activations: Tensor | None  # (M, K, U, V) of the images beside it, where there are any


@dataclass(frozen=True)
class Stepper:
    """Takes the steps of one training."""

    model: Model
    data: TrainData
    config: TrainConfig
    pixels: Pixels
    device: torch.device
    team: Team = ALONE

    def own(self, rows: np.ndarray) -> np.ndarray:
        """The rows of a batch (B,) that this process computes, part after part."""
        return np.concatenate([rows[part.own] for part in self._parts(len(rows))])

    def to_training_mode(self) -> None:
        """Batch statistics and dropout as training has them."""
        only_head = self.config.trainable == "head"  # a frozen backbone keeps its batch statistics too
        self.model.net.train(not only_head)

    def step(
        self,
        learner: Learner,
        rows: np.ndarray,
        images: np.ndarray,
        extra: np.ndarray | None,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Move the weights down the loss of a batch, or of its parts together.

        Args:
            learner: whose weights.
            rows: (B,) positions in the table.
            images: (b, H, W, 3) uint8, of the rows that this process computes.
            extra: (M,) rows of the images that the objective sees beside them.
            generator: of the random changes of the images.

        Returns:
            The loss before it, and how many predictions were correct; both stay on the device.
        """
        drawn = self._draw(len(rows), generator)
        others = None if extra is None or not len(extra) else self._others(extra, generator)
        whole = learner.objective.weight_of(self._labels(rows))
        losses, n_right, done = [], [], 0
        for part in self._parts(len(rows)):
            pixels = images[done : (done := done + part.own.stop - part.own.start)]
            with without_exchange(learner.called, wanted=part.of_all.stop < len(rows)):
                outputs = self._outputs(learner, self._inputs(pixels, drawn[part.own]), others, part)
                batch = self._batch(rows[part.of_all], outputs, others)
                loss = learner.objective.loss(batch) * (learner.objective.weight_of(batch.labels) / whole)
                learner.add_gradient(loss * self.team.size)  # the mean over the processes is taken of it
            losses.append(loss.detach())
            n_right.append((batch.logits.argmax(1) == batch.labels).sum())
        learner.step()
        return torch.stack(losses).sum(), torch.stack(n_right).sum()

    def once_more(self, rows: np.ndarray, images: np.ndarray) -> None:
        """The work on the images (B, H, W, 3) of rows (B,): forward and back in training, forward in validation."""
        self.to_training_mode()
        inputs = to_input(images, self.model.transform, self.device)
        with autocast(self.config.precision, self.device):
            logits = self.model.net(inputs)
        nn.functional.cross_entropy(logits.float(), self._labels(rows)).backward()  # type: ignore[no-untyped-call]
        with torch.inference_mode():
            self.model.net.eval()(to_input(np.concatenate([images, images]), self.model.transform, self.device))

    def _parts(self, n: int) -> list[_Part]:
        """What is computed at once of the n images of a batch: nearly equal parts."""
        n_parts = 1
        if self.config.accumulation > 1:  # of two images at least, for batch statistics
            n_parts = max(1, min(math.ceil(n / self.config.images_at_once), n // 2))
        ends = np.linspace(0, n, n_parts + 1).round().astype(int)
        parts = [slice(int(start), int(end)) for start, end in pairwise(ends)]
        return [_Part(part, self.team.share(part)) for part in parts]

    def _batch(self, rows: np.ndarray, outputs: _Outputs, others: tuple[np.ndarray, Tensor] | None) -> Batch:
        return Batch(
            rows=self._on_device(rows),
            labels=self._labels(rows),
            groups=self._on_device(self.data.grouping.index[rows]),
            pooled=outputs.pooled,
            logits=outputs.logits,
            cells=None if self.data.cells is None else self._on_device(self.data.cells[rows]),
            extra=None if others is None else self._extra(*others, outputs),
        )

    def _draw(self, n: int, generator: torch.Generator) -> Drawn:
        """The random changes of n images; none where the config does not augment."""
        config = self.config
        return draw(config.augmentation, n, self.model.transform.size, generator) if config.augment else Drawn()

    def _inputs(self, images: np.ndarray, drawn: Drawn) -> Tensor:
        """(B, 3, H, W) of pixels (B, H, W, 3), changed as drawn."""
        return augment(to_input(images, self.model.transform, self.device), drawn, self.model.transform)

    def _others(self, rows: np.ndarray, generator: torch.Generator) -> tuple[np.ndarray, Tensor]:
        """Rows and inputs (M, 3, H, W) of the images beside a batch."""
        return rows, self._inputs(self.pixels.read(rows), self._draw(len(rows), generator))

    def _labels(self, rows: np.ndarray) -> Tensor:
        return self._on_device(self.data.table.labels[rows])

    def _on_device(self, values: np.ndarray) -> Tensor:
        return to_device(torch.from_numpy(values), self.device)

    def _extra(self, rows: np.ndarray, inputs: Tensor, outputs: _Outputs) -> ExtraImages:
        assert outputs.activations is not None
        return ExtraImages(self._on_device(rows), self._labels(rows), inputs, outputs.activations.float())

    def _outputs(
        self, learner: Learner, inputs: Tensor, others: tuple[np.ndarray, Tensor] | None, part: _Part
    ) -> _Outputs:
        """What the network makes of a part of the batch and of the images beside it, those of all processes."""
        n_extra = 0 if others is None else len(others[0])
        extra = self.team.share(slice(0, n_extra))
        with autocast(self.config.precision, self.device), self.team.shared_statistics():
            own = self._forward(
                learner.called, inputs, None if others is None else others[1][extra], learner.objective.needs_pooled
            )
        return _Outputs(
            self.team.gather(own.logits.float(), part.place, part.n),
            None if own.pooled is None else self.team.gather(own.pooled, part.place, part.n),
            None if own.activations is None else self.team.gather(own.activations, extra, n_extra),
        )

    def _forward(self, net: nn.Module, inputs: Tensor, extra: Tensor | None, needs_pooled: bool) -> _Outputs:
        """The images (B, 3, H, W) and those beside them (M, 3, H, W), together: they share the batch's statistics."""
        n, pooled, activations = len(inputs), [], []
        with ExitStack() as hooks:
            if needs_pooled and self.model.head is not None:
                handle = self.model.head.register_forward_pre_hook(lambda _, given: pooled.append(given[0][:n]))
                hooks.callback(handle.remove)
            if extra is not None:
                form, layer = self.model.layout.form, self.model.target_layer
                handle = layer.register_forward_hook(lambda _, __, output: activations.append(form.map_of(output)[n:]))
                hooks.callback(handle.remove)
            logits = net(inputs if extra is None else torch.cat([inputs, extra]))
        if not isinstance(logits, Tensor):
            raise SpecRefusedError(
                f"{self.model.name} gives a {type(logits).__name__} while it is trained, and logits (N, C) else: make "
                f"it give them alone, without the outputs of further heads."
            )
        return _Outputs(logits[:n], *((found[-1] if found else None) for found in (pooled, activations)))
