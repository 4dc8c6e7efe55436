"""Patch: a coloured mark in a corner gives one class away, on one background; the other class is left without it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from slim_core.data.sets import mark
from slim_core.data.sets.demo_set import DemoSet, Drawing, Picture, cells
from slim_core.data.sets.digits import check_digits, draw_on, glyphs_of
from slim_core.data.sets.three_by_three import Place, place_of
from slim_core.data.table import SPLITS
from slim_core.parameters import Display


class Patch(DemoSet):
    """The first digit without and the second with a mark in the upper left corner."""

    classes: Annotated[tuple[int, ...], Display(added_later=True)] = Field(
        default=(1, 7), description="Digits; the mark goes with the second one."
    )
    background: Annotated[Place, Display(added_later=True)] = Field(
        default="roofs", description="What all digits of patch are on: a part of a photograph."
    )
    mark_side: Annotated[float, Display(advice=mark.ADVICE, added_later=True)] = Field(
        default=0.17,
        ge=mark.SHARES[0],
        le=mark.SHARES[1],
        title="Side of the mark",
        description="Side of the mark of patch, as a share of the image's.",
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
    def label_names(self) -> tuple[str, ...]:
        """The digits."""
        return tuple(str(digit) for digit in self.classes)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Whether there is a mark."""
        return ("no mark", "mark")

    def drawings(self) -> Iterator[Drawing]:
        """Every image; the digits of the three splits are disjoint."""
        from sklearn.datasets import load_digits

        scans, row = load_digits(), 0
        for number, split in enumerate(SPLITS):
            rng = np.random.default_rng([self.seed, number])
            place = place_of(self.background, split)
            glyphs = [glyphs_of(scans, digit, split, self.seed) for digit in self.classes]
            for i, (label, marked) in enumerate(cells(self, split, rng)):
                glyph = glyphs[label][rng.integers(len(glyphs[label]))]
                side = mark.in_pixels(self.mark_side, self.size) if marked else 0
                draw = partial(_draw, glyph, place, self.size, (self.seed, row), side=side)
                yield Drawing(f"{split}_{i:05d}.png", label, marked, draw)
                row += 1


def _draw(glyph: np.ndarray, place: np.ndarray, size: int, seed: tuple[int, int], *, side: int) -> Picture:
    """The mark lies over the digit where they meet, and is no part of its mask; ``side``: 0 without one."""
    pixels, mask = draw_on(glyph, place, size, seed)
    pixels[:side, :side] = mark.COLOUR
    mask[:side, :side] = 0
    return pixels, mask
