"""Subtypes: a class of two real kinds, each in a place of its own; the clusters belong to the class.

The label is whether a number is even. The even class has two kinds, 0 and 6, and each stands mostly in its own place;
the odd class, 1 and 7, stands equally often in both. So the place tells the kind, never the class: nothing is to be
removed, and a method that removes it anyway must not do harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Self

import numpy as np
from pydantic import model_validator

from slim_core.data.sets.demo_set import DemoSet, Drawing
from slim_core.data.sets.digits import draw_on, glyphs_of
from slim_core.data.sets.three_by_three import Place, place_of
from slim_core.data.table import SPLITS
from slim_core.errors import SpecRefusedError

KINDS = ((0, 6), (1, 7))  # the digits of each class
PLACES: tuple[Place, ...] = ("roofs", "petals")


class Subtypes(DemoSet):
    """Even and odd; ``correlation`` is the share of each even kind that stands in its own place, in every split."""

    name: ClassVar[str] = "subtypes"
    about: ClassVar[str] = "a class of two kinds, each in its own place: clusters that belong to the class"
    attribute_name: ClassVar[str] = "place"
    sizes: ClassVar[tuple[int, int]] = (16, 96)

    @model_validator(mode="after")
    def _check_one_correlation(self) -> Self:
        if self.val_correlation is not None:
            raise SpecRefusedError(
                "The set subtypes has the same correlation in every split: leave val_correlation out."
            )
        return self

    @property
    def label_names(self) -> tuple[str, ...]:
        """Even, odd."""
        return ("even", "odd")

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """The places."""
        return PLACES

    def drawings(self) -> Iterator[Drawing]:
        """Every image; the digits of the three splits are disjoint."""
        from sklearn.datasets import load_digits

        scans, row = load_digits(), 0
        for number, split in enumerate(SPLITS):
            rng = np.random.default_rng([self.seed, number])
            places = [place_of(name, split) for name in PLACES]
            glyphs = [[glyphs_of(scans, digit, split, self.seed) for digit in kinds] for kinds in KINDS]
            for i, (label, kind, place) in enumerate(self._cells(split, rng)):
                glyph = glyphs[label][kind][rng.integers(len(glyphs[label][kind]))]
                draw = partial(draw_on, glyph, places[place], self.size, (self.seed, row))
                yield Drawing(f"{split}_{i:05d}.png", label, place, draw)
                row += 1

    def _cells(self, split: str, rng: np.random.Generator) -> list[tuple[int, int, int]]:
        """(label, kind, place) of each image, in random order."""
        n = self.images(split)
        found: list[tuple[int, int, int]] = []
        for part in range(4):  # (label, kind)
            label, kind = divmod(part, 2)
            size = n // 4 + (part < n % 4)
            own = round((self.correlation if label == 0 else 0.5) * size)
            found += [(label, kind, kind)] * own + [(label, kind, 1 - kind)] * (size - own)
        return [found[i] for i in rng.permutation(n)]
