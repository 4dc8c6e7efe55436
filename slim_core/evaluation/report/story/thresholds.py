"""From how many images and points on the texts say something, and how they write a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slim_core.metrics import GROUPS, groups_of, worst_of

Named = Callable[[str], str]
GAP = 0.02  # between average and worst group, below which no group is said to fail
FEW = 2  # groups that a sentence names; more are counted
LEAST = 10  # images of a worst group, below which no verdict rests on it: its interval spans 30 points and more


def worst_large_group(metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The worst of the groups with enough images for a verdict, where there is one."""
    return worst_of({GROUPS: [group for group in groups_of(metrics) if group["n"] >= LEAST]})
