"""On which images the models of a data set are compared, and whether groups are estimated there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slim_core.data.table import SMALLEST_SPACE

if TYPE_CHECKING:
    from slim_core.store import Dataset


def compared_on(dataset: Dataset) -> str:
    """The split that models are compared on."""
    return "test" if dataset.report["splits"].get("test") else "val"


def estimates_groups(dataset: Dataset, split: str) -> bool:
    """Whether groups are estimated on a split: the data set names none, and there are images enough for a space."""
    return dataset.n_attributes == 0 and dataset.report["splits"].get(split, 0) >= SMALLEST_SPACE
