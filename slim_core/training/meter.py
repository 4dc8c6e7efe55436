"""Progress of a training: running loss, accuracy and speed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal


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
    """Running loss, accuracy and speed of one epoch."""

    def __init__(self, epoch: int, epochs: int, n_images: int) -> None:
        self._epoch, self._epochs, self._n_images = epoch, epochs, n_images
        self._started, self._elapsed = time.perf_counter(), 0.0
        self._n, self._loss, self._n_right = 0, 0.0, 0

    def add(self, n: int, loss: float, n_right: int) -> None:
        """Count a batch of ``n`` images: its mean loss, and how many were predicted correctly."""
        self._elapsed = time.perf_counter() - self._started
        self._n += n
        self._loss += n * loss
        self._n_right += n_right

    @property
    def loss(self) -> float:
        """Mean over the images so far."""
        return self._loss / max(1, self._n)

    @property
    def accuracy(self) -> float:
        """Share predicted correctly so far, each before its batch's step."""
        return self._n_right / max(1, self._n)

    @property
    def images_per_s(self) -> float:
        """Training speed, validation left out."""
        return self._n / max(1e-9, self._elapsed)

    def report(self, phase: Literal["train", "validate"], val: dict[str, Any] | None) -> EpochReport:
        """The progress after a batch."""
        done, total = self._epoch * self._n_images + self._n, self._epochs * self._n_images
        return EpochReport(self._epoch + 1, self._epochs, done, total, self.loss, val, self.images_per_s, phase)
