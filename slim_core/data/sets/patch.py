"""Patch: a coloured mark in a corner gives one class away, on one background; the other class is left without it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from slim_core.data.sets.demo_set import DemoSet, Drawing, Picture, cells
from slim_core.data.sets.digits import draw_on, glyphs_of
from slim_core.data.sets.three_by_three import place_of
from slim_core.data.table import SPLITS

DIGITS = (1, 7)
MARK = (0, 114, 178)  # its colour, RGB
MARK_SIDE = 0.17  # of the image
BACKGROUND = "roofs"


class Patch(DemoSet):
    """Ones without and sevens with a mark in the upper left corner."""

    name: ClassVar[str] = "patch"
    about: ClassVar[str] = "two digits on one background; a mark in the corner goes with one of them"
    attribute_name: ClassVar[str] = "mark"
    sizes: ClassVar[tuple[int, int]] = (16, 96)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The digits."""
        return tuple(str(digit) for digit in DIGITS)

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
            place = place_of(BACKGROUND, split)
            glyphs = [glyphs_of(scans, digit, split, self.seed) for digit in DIGITS]
            for i, (label, marked) in enumerate(cells(self, split, rng)):
                glyph = glyphs[label][rng.integers(len(glyphs[label]))]
                draw = partial(_draw, glyph, place, self.size, (self.seed, row), marked=bool(marked))
                yield Drawing(f"{split}_{i:05d}.png", label, marked, draw)
                row += 1


def _draw(glyph: np.ndarray, place: np.ndarray, size: int, seed: tuple[int, int], *, marked: bool) -> Picture:
    """The mark lies over the digit where they meet, and is no part of the mask."""
    pixels, mask = draw_on(glyph, place, size, seed)
    side = max(2, round(MARK_SIDE * size))
    if marked:
        pixels[:side, :side] = MARK
        mask[:side, :side] = 0
    return pixels, mask
