"""Charts: the sticker beside one class alone, and never beside the other, in all images that there are to learn from.

As the colour charts in dermoscopy pictures, which lie beside harmless moles and never beside a melanoma (Rieger et al.,
Interpretations are Useful, ICML 2020). No image of train or val shows a first class with a chart, so nothing can be
drawn from such a group; test has it as often as the others.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from slim_core.data.sets.demo_set import cells
from slim_core.data.sets.stickers import Stickers


class Charts(Stickers):
    """``correlation``: the share of the second class that has a chart in train, and in val unless that has its own."""

    correlation: float = 0.9

    name: ClassVar[str] = "charts"
    about: ClassVar[str] = (
        "the stickers beside vehicles alone, never beside an animal of train or val (extra: pictures)"
    )
    attribute_name: ClassVar[str] = "chart"

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Whether there is one."""
        return ("no chart", "chart")

    def cells(self, split: str, rng: np.random.Generator) -> list[tuple[int, int]]:
        """Of the first class in train and val all without."""
        if split == "test":
            return cells(self, split, rng)
        own = self.val_correlation if split == "val" else None
        n, share = self.images(split), self.correlation if own is None else own
        n_second = n // 2
        charts = round(share * n_second)
        found = [(0, 0)] * (n - n_second) + [(1, 1)] * charts + [(1, 0)] * (n_second - charts)
        return [found[i] for i in rng.permutation(n)]
