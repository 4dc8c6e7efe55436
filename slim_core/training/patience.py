"""ERM to convergence: a training ends when its worst class on validation has not risen for long. Light: no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slim_core.metrics import WORST_CLASS

SHARE = 5  # a fifth of the epochs so far


def has_converged(history: Sequence[Mapping[str, Any]], patience: int | None) -> bool:
    """Whether worst-class accuracy has not risen in the last fifth of the epochs so far, nor in the last ``patience``.

    A function of the history alone, so that a resumed training ends where it would have ended.

    Args:
        history: one entry an epoch, with "val": metrics, or None where there are no validation rows.
        patience: epochs without a rise that are allowed at least; None: training goes through all its epochs.
    """
    if patience is None or not history:
        return False
    since = len(history) - _last_rise(history)
    return since >= max(patience, len(history) / SHARE)


def _last_rise(history: Sequence[Mapping[str, Any]]) -> int:
    """The first epoch (1-based) that reached the highest worst-class accuracy; the last one where none is known."""
    reached = [(entry["val"] or {}).get(WORST_CLASS) for entry in history]
    known = [value for value in reached if value is not None]
    return reached.index(max(known)) + 1 if known else len(history)
