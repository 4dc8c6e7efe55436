"""Training to convergence: it ends when what chooses its epoch has not risen for long. Light: no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slim_core.metrics import WORST_CLASS

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
