"""The learning rate by epoch, as a share of the one that was asked for. Light: no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

Schedule = Literal["milestones", "cosine"]
SCHEDULES: dict[Schedule, str] = {"milestones": "falls at the milestones", "cosine": "falls along a cosine"}


def by_milestones(epoch: int, milestones: Iterable[int], gamma: float) -> float:
    """gamma for each of the milestones that the epoch (0-based) has reached."""
    return float(gamma ** sum(milestone <= epoch for milestone in milestones))


def by_cosine(epoch: int, epochs: int) -> float:
    """Half a cosine from 1 in the first epoch (0) to 0 after the last: SGDR, ICLR 2017, eq. 5, without restarts."""
    return 0.5 * (1 + math.cos(math.pi * epoch / epochs))


def warm_up(epoch: int, warmup_epochs: int) -> float:
    """In equal steps up to 1, which the first epoch after the warm-up reaches."""
    return min(1.0, (epoch + 1) / (warmup_epochs + 1))
