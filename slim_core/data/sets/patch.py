"""Patch: a coloured mark in a corner gives one class away, on one background; the other class is left without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from slim_core.data.sets import mark
from slim_core.data.sets.demo_set import Picture
from slim_core.data.sets.digits import OfDigits, check_digits, draw_on
from slim_core.data.sets.three_by_three import Place, place_of


class Patch(OfDigits):
    """The first digit without and the second with a mark in the upper left corner."""

    classes: tuple[int, ...] = Field(default=(1, 7), description="Digits; the mark goes with the second one.")
    background: Place = Field(default="roofs", description="What all digits of patch are on: a part of a photograph.")
    mark_side: mark.Side = Field(
        default=0.17, title="Side of the mark", description="Side of the mark of patch, as a share of the image's."
    )

    name: ClassVar[str] = "patch"
    about: ClassVar[str] = "two digits on one background; a mark in the corner goes with the second of them"
    attribute_name: ClassVar[str] = "mark"
    sizes: ClassVar[tuple[int, int]] = (16, 96)

    @model_validator(mode="after")
    def _check_classes_and_mark(self) -> Self:
        check_digits(self.classes, "two", (2,))
        mark.check_is_seen("mark_side", self.mark_side, self.size)
        return self

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Whether there is a mark."""
        return ("no mark", "mark")

    def backgrounds(self, split: str) -> list[np.ndarray]:
        """One, with and without the mark."""
        return [place_of(self.background, split)]

    def drawn(
        self, glyph: np.ndarray, attribute: int, backgrounds: Sequence[np.ndarray], seed: tuple[int, int]
    ) -> Callable[[], Picture]:
        """With the mark, or without."""
        side = mark.in_pixels(self.mark_side, self.size) if attribute else 0
        return partial(_draw, glyph, backgrounds[0], self.size, seed, side=side)


def _draw(glyph: np.ndarray, place: np.ndarray, size: int, seed: tuple[int, int], *, side: int) -> Picture:
    """The mark lies over the digit where they meet, and is no part of its mask; ``side``: 0 without one."""
    pixels, mask = draw_on(glyph, place, size, seed)
    pixels[:side, :side] = mark.COLOUR
    mask[:side, :side] = 0
    return pixels, mask
