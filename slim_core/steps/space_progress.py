"""How far a space is, in percent, and how long still.

The parts of the work are weighed by what they took on 240 to 120,000 images of 64 to 2,048 features, on two cores. The
time left follows from the pace of UMAP's epochs in this very run, which is even: its search for neighbours before them
says nothing on its way, and where its functions are compiled first it takes many times as long.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SEARCH = 0.15  # of a fit: what comes before the first epoch; 0.08 to 0.2 from 5,000 images on
PLACED = 0.25  # of the time that an image is fitted in: one that is only placed
CLUSTERS = 0.04  # of the whole; 0.01 to 0.08
STAGES = ("attention space", "environment space", "environment clusters")
_SHARE_BEFORE_ESTIMATE = 0.02  # of the epochs

Report = Callable[..., None]  # StepContext.progress


class SpaceProgress:
    """How far the two spaces and the clusters of ``n`` images are, of which UMAP is fitted on ``fitted`` at most."""

    def __init__(self, report: Report, n: int, fitted: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._clock = report, clock
        self._fitted = min(n, fitted)
        self._space = self._fitted + PLACED * (n - self._fitted)  # in images that are fitted, as all that follow
        self._whole = 2 * self._space / (1 - CLUSTERS)
        self._pace: float | None = None  # seconds for one
        self._began: tuple[float, int] | None = None  # when the first epoch of a fit that was heard of was over

    def begins(self, at: int) -> None:
        """A stage begins."""
        self._began = None
        self._say(at * self._space, STAGES[at])

    def epochs(self, at: int, epoch: int, epochs: int) -> None:
        """So many epochs of UMAP are done."""
        self._began = self._began or (self._clock(), epoch)
        since, first = self._began
        share = (epoch - first) / epochs
        if share >= _SHARE_BEFORE_ESTIMATE:
            self._pace = (self._clock() - since) / ((1 - SEARCH) * share * self._fitted)
        done = at * self._space + self._fitted * (SEARCH + (1 - SEARCH) * epoch / epochs)
        self._say(done, STAGES[at], epoch=epoch, epochs=epochs)

    def placed(self, at: int, n: int, of: int) -> None:
        """UMAP is fitted, and so many images have their place."""
        done = at * self._space + self._fitted + PLACED * (n - self._fitted)
        self._say(done, f"{STAGES[at]}: {n:,} of {of:,} images placed")

    def ended(self) -> None:
        """The clusters are there, too."""
        self._say(self._whole, STAGES[-1])

    def _say(self, done: float, phase: str, **values: Any) -> None:
        left = None if self._pace is None else round(self._pace * (self._whole - done), 1)
        self._report(int(100 * done / self._whole), 100, phase, unit="%", seconds_left=left, **values)
