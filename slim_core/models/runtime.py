"""Where a pass over images runs, whom it reports to, and what ends it. Light: no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[[int, int], None]  # images done, images in all


def never_stop() -> None:
    """A ``check_stop`` that never stops."""


def ignore_progress(done: int, total: int) -> None:
    """A progress callback that shows nothing."""
    del done, total


@dataclass(frozen=True)
class Runtime:
    """What a pass or a training needs of its surroundings; by default the CPU, and no observer."""

    device: str = "cpu"  # "cpu", "cuda" or "cuda:0"
    on_progress: Progress = ignore_progress  # called after each batch
    check_stop: Callable[[], None] = never_stop  # called before each batch; raises to end the work
    checkpoint_dir: Path | None = None  # where the state is kept meanwhile, to resume from
