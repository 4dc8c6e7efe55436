"""What a reader must know of the groups that a training balances and is chosen by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from slim_core.data.groups import Grouping

Rows = NDArray[np.int64]
DRAWN = "training image, which is drawn as often as all images of any other group together"
CHOSEN_BY = "validation image, which alone can decide the selection by worst group"
_NAMED = 10  # groups in a sentence


def left_out(names: Sequence[str]) -> list[str]:
    """A note about groups that a training by groups goes without, if any."""
    why = "Left out of the balance of groups, as there are too few images of them to train on"
    return [f"{why}: {_listed(names)}."] if names else []


def single_images(groups: Grouping, rows: Rows, used: str, other: str) -> list[str]:
    """A note about groups with a single image among the rows, if any.

    Args:
        groups: of all images.
        rows: distinct positions.
        used: what becomes of these images, DRAWN or CHOSEN_BY.
        other: what to choose another of.
    """
    names = [name for name, n in zip(groups.names, groups.counts(rows), strict=True) if n == 1]
    remedy = f"Add images of them, or choose another {other}."
    return [f"Groups with a single {used}: {_listed(names)}. {remedy}"] if names else []


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{'; '.join(names[:_NAMED])}{more}"
