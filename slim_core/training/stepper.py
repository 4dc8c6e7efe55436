"""A step of a training: pixels in, the loss out, and the weights have moved."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from slim_core.errors import SpecRefusedError
from slim_core.models.devices import to_device
from slim_core.models.inference import Pixels, to_input
from slim_core.models.model import Model
from slim_core.training.augmentation import augment, draw
from slim_core.training.config import TrainConfig
from slim_core.training.data import TrainData
from slim_core.training.learner import Learner
from slim_core.training.objectives import Batch
from slim_core.training.processes.team import ALONE, Team


def autocast(device: torch.device) -> AbstractContextManager[None]:
    """bfloat16 for the layers that bear it, on GPUs that compute in it; elsewhere float32.

    No setting: those who need float32 on such a GPU would set a precision that no result of this field depends on.
    """
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


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
        """The rows of a batch (B,) that this process computes."""
        return rows[self.team.share(slice(0, len(rows)))]

    def step(
        self, learner: Learner, rows: np.ndarray, images: np.ndarray, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Move the weights down the loss of a batch.

        Args:
            learner: whose weights.
            rows: (B,) positions in the table.
            images: (b, H, W, 3) uint8, of the rows that this process computes.
            generator: of the random changes of the images.

        Returns:
            The loss before it, and how many predictions were correct; both stay on the device.
        """
        own, transform = self.team.share(slice(0, len(rows))), self.model.transform
        inputs = to_input(images, transform, self.device)
        if self.config.augmentation != "none":
            drawn = draw(self.config.augmentation, len(rows), transform.size, generator)
            inputs = augment(inputs, drawn[own], transform)
        batch = self._batch(rows, own, *self._outputs(learner, inputs))
        loss = learner.objective.loss(batch)
        learner.step(loss * self.team.size)  # the mean over the processes is taken of its gradient
        return loss.detach(), (batch.logits.argmax(1) == batch.labels).sum()

    def once_more(self, rows: np.ndarray, images: np.ndarray) -> None:
        """The work on the images (B, H, W, 3) of rows (B,): forward and back in training, forward in validation."""
        self.model.net.train()
        inputs = to_input(images, self.model.transform, self.device)
        with autocast(self.device):
            logits = self.model.net(inputs)
        nn.functional.cross_entropy(logits.float(), self._labels(rows)).backward()  # type: ignore[no-untyped-call]
        with torch.inference_mode():
            self.model.net.eval()(to_input(np.concatenate([images, images]), self.model.transform, self.device))

    def _batch(self, rows: np.ndarray, own: slice, logits: Tensor, pooled: Tensor | None) -> Batch:
        """What the processes together made of the rows; ``own``: which of them this one computed."""
        return Batch(
            rows=self._on_device(rows),
            labels=self._labels(rows),
            groups=self._on_device(self.data.grouping.index[rows]),
            pooled=None if pooled is None else self.team.gather(pooled, own, len(rows)),
            logits=self.team.gather(logits.float(), own, len(rows)),
            cells=None if self.data.cells is None else self._on_device(self.data.cells[rows]),
        )

    def _labels(self, rows: np.ndarray) -> Tensor:
        return self._on_device(self.data.table.labels[rows])

    def _on_device(self, values: np.ndarray) -> Tensor:
        return to_device(torch.from_numpy(values), self.device)

    def _outputs(self, learner: Learner, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (b, C) of the inputs (b, 3, H, W), and what the head takes (b, K), where the objective asks for it."""
        pooled: list[Tensor] = []
        with ExitStack() as hooks:
            if learner.objective.needs_pooled and self.model.head is not None:
                handle = self.model.head.register_forward_pre_hook(lambda _, given: pooled.append(given[0]))
                hooks.callback(handle.remove)
            with autocast(self.device), self.team.shared_statistics():
                logits = learner.called(inputs)
        if not isinstance(logits, Tensor):
            raise SpecRefusedError(
                f"{self.model.name} gives a {type(logits).__name__} while it is trained, and logits (N, C) else: make "
                f"it give them alone, without the outputs of further heads."
            )
        return logits, pooled[-1] if pooled else None
