"""Which labels a method uses beyond the classes of its images: what makes two numbers comparable. Light."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

LabelsUsed = Literal["none", "answers", "groups in validation", "groups in training", "unknown"]
GROUPS_IN_VALIDATION: LabelsUsed = "groups in validation"
GROUPS_IN_TRAINING: LabelsUsed = "groups in training"
UNKNOWN: LabelsUsed = "unknown"  # by a model that was trained elsewhere


def together(used: Iterable[LabelsUsed]) -> str:
    """What several parts of one method use, each once, the dearest last: "answers, groups in validation", or "none"."""
    found = set(used) - {"none"}
    return ", ".join(each for each in get_args(LabelsUsed) if each in found) or "none"
