"""Which images are meant: by label, prediction, group, tag and the range of a score, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from slim_core.errors import SpecRefusedError, quoted

if TYPE_CHECKING:
    import pandas as pd

MOST_NAMES, MOST_LETTERS = 500, 400
Names = Annotated[tuple[Annotated[str, Field(max_length=MOST_LETTERS)], ...], Field(max_length=MOST_NAMES)]
COLUMNS = {"labels": "label_name", "predictions": "prediction_name", "groups": "group"}  # part -> column of the images


class ImageFilter(BaseModel):
    """Images pass that have one of the names of each part, one of the tags, and a score within each range.

    A part that is empty lets all pass. An image without a score is within no range of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: Names = ()
    predictions: Names = ()
    groups: Names = ()
    tags: Names = ()
    ranges: dict[str, tuple[float, float]] = Field(default_factory=dict)  # column -> lowest, highest

    @model_validator(mode="after")
    def _ordered(self) -> ImageFilter:
        for name, (low, high) in self.ranges.items():
            if not low <= high:
                raise ValueError(f"the range of {name} goes from {low} to {high}: its lower end comes first")
        return self

    @property
    def is_empty(self) -> bool:
        """True where every image passes."""
        return not (self.labels or self.predictions or self.groups or self.tags or self.ranges)

    def passing(self, images: pd.DataFrame, tags: Mapping[int, tuple[str, ...]]) -> NDArray[np.bool_]:
        """(n,) which of the images pass.

        Args:
            images: n rows with row, label_name, prediction_name, group, and the scores that are asked for.
            tags: of the rows that have any.

        Raises:
            SpecRefusedError: a score is not known of these images.
        """
        keep = np.ones(len(images), bool)
        for part, column in COLUMNS.items():
            names = getattr(self, part)
            if names:
                keep &= images[column].isin(names).to_numpy()
        if self.tags:
            tagged = [row for row, found in tags.items() if set(found) & set(self.tags)]
            keep &= images["row"].isin(tagged).to_numpy()
        for name, (low, high) in self.ranges.items():
            if name not in images:
                raise SpecRefusedError(f"The score {quoted(name)} is not known of these images: change the filter.")
            keep &= images[name].between(low, high).to_numpy()
        return keep

    def in_words(self) -> str:
        """Its parts in half a line."""
        named = [f"{part}: {', '.join(getattr(self, part))}" for part in (*COLUMNS, "tags") if getattr(self, part)]
        ranges = [f"{name.replace('_', ' ')} {low:.2f} to {high:.2f}" for name, (low, high) in self.ranges.items()]
        return "; ".join([*named, *ranges]) or "all images"
