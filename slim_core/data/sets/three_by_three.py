"""Three by three: three digits in three places, so that each class has one place of its own and two that mislead."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from slim_core.data.sets.demo_set import DemoSet, Drawing, cells
from slim_core.data.sets.digits import check_digits, draw_on, glyphs_of, part_of
from slim_core.data.table import SPLITS

Place = Literal["roofs", "sky", "petals"]
# place -> (photograph of scikit-learn, top, left, height, width): three parts of the two photographs
PLACES: dict[Place, tuple[str, int, int, int, int]] = {
    "roofs": ("china.jpg", 90, 60, 250, 270),
    "sky": ("china.jpg", 0, 330, 200, 310),
    "petals": ("flower.jpg", 80, 165, 290, 290),
}


class ThreeByThree(DemoSet):
    """Three digits, three places; class c's place is number c."""

    train: int = 2700
    val: int = 675
    test: int = 1350
    classes: tuple[int, ...] = (0, 1, 7)  # digits

    name: ClassVar[str] = "three-by-three"
    about: ClassVar[str] = "three digits in three places; nine groups"
    attribute_name: ClassVar[str] = "place"
    sizes: ClassVar[tuple[int, int]] = (16, 96)

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        check_digits(self.classes, "three", (3,))
        return self

    @property
    def label_names(self) -> tuple[str, ...]:
        """The digits."""
        return tuple(str(digit) for digit in self.classes)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """The places."""
        return tuple(PLACES)

    def drawings(self) -> Iterator[Drawing]:
        """Every image; the digits of the three splits are disjoint, and train sees the left part of each place."""
        from sklearn.datasets import load_digits

        scans, row = load_digits(), 0
        for number, split in enumerate(SPLITS):
            rng = np.random.default_rng([self.seed, number])
            places = [place_of(name, split) for name in PLACES]
            glyphs = [glyphs_of(scans, digit, split, self.seed) for digit in self.classes]
            for i, (label, place) in enumerate(cells(self, split, rng)):
                glyph = glyphs[label][rng.integers(len(glyphs[label]))]
                draw = partial(draw_on, glyph, places[place], self.size, (self.seed, row))
                yield Drawing(f"{split}_{i:05d}.png", label, place, draw)
                row += 1


def place_of(name: Place, split: str) -> np.ndarray:
    """(H, W, 3) uint8: the left part of a place for train, the right part for val and test."""
    from sklearn.datasets import load_sample_image

    photograph, top, left, height, width = PLACES[name]
    whole: np.ndarray = load_sample_image(photograph)[top : top + height, left : left + width]
    return part_of(whole, split)
