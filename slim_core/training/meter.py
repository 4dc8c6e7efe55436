"""Progress of a training: running loss, accuracy and speed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor


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
