"""Three by three: three digits in three places, so that each class has one place of its own and two that mislead."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from slim_core.data.sets.digits import OfDigits, check_digits, part_of

Place = Literal["roofs", "sky", "petals"]
# place -> (photograph of scikit-learn, top, left, height, width): three parts of the two photographs
PLACES: dict[Place, tuple[str, int, int, int, int]] = {
    "roofs": ("china.jpg", 90, 60, 250, 270),
    "sky": ("china.jpg", 0, 330, 200, 310),
    "petals": ("flower.jpg", 80, 165, 290, 290),
}


class ThreeByThree(OfDigits):
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
    def attribute_names(self) -> tuple[str, ...]:
        """The places."""
        return tuple(PLACES)

    def backgrounds(self, split: str) -> list[np.ndarray]:
        """The part of each place that a split sees."""
        return [place_of(name, split) for name in PLACES]


def place_of(name: Place, split: str) -> np.ndarray:
    """(H, W, 3) uint8: the left part of a place for train, the right part for val and test."""
    from sklearn.datasets import load_sample_image

    photograph, top, left, height, width = PLACES[name]
    whole: np.ndarray = load_sample_image(photograph)[top : top + height, left : left + width]
    return part_of(whole, split)
