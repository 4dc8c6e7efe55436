"""The meter of an epoch: the same numbers however seldom they are read."""

from __future__ import annotations

import pytest
import torch

from slim_core.training.loop import Meter

BATCHES = [(4, 0.7, 3), (4, 0.1, 4), (3, 2.5, 0), (4, 0.3, 2), (1, 0.9, 1)]


def filled(read_every: int) -> tuple[Meter, list[float]]:
    """The meter after all batches, and the loss that it gave after each."""
    meter, seen = Meter(0, 2, 16, read_every=read_every), []
    for n, loss, n_right in BATCHES:
        meter.add(n, torch.tensor(loss), torch.tensor(n_right))
        seen.append(meter.loss)
    return meter, seen


def test_the_loss_is_read_once_in_so_many_batches() -> None:
    (_, each), (_, third) = filled(1), filled(3)
    assert third == [0, 0, each[2], each[2], each[2]]
    assert each == pytest.approx([0.7, 0.4, (2.8 + 0.4 + 7.5) / 11, (2.8 + 0.4 + 7.5 + 1.2) / 15, 12.8 / 16])


def test_after_reading_what_is_left_the_numbers_are_those_of_reading_at_each_batch() -> None:
    often, seldom = filled(1)[0], filled(3)[0]
    for meter in (often, seldom):
        meter.read()
    assert (seldom.loss, seldom.accuracy) == (often.loss, often.accuracy) == (often.loss, 10 / 16)
    report = seldom.report("train", None)
    assert (report.done, report.total, report.images_per_s > 0) == (16, 32, True)
