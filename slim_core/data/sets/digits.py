"""Digits: real handwritten digits on real photographs, and what is beside or behind a digit gives it away.

Nothing is downloaded: scikit-learn ships both. The label is the digit; the spurious attribute is the photograph or a
part of one (three by three), or a mark in a corner (patch).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Container, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from PIL import Image
from pydantic import Field, model_validator

from slim_core.data.report import Progress
from slim_core.data.sets.demo_set import (
    MARK_COLOUR,
    POOL_SHARES,
    DemoSet,
    Drawer,
    MarkSide,
    Picture,
    any_of,
    check_mark_is_seen,
    mark_in_pixels,
    partition,
    write_set,
)
from slim_core.errors import SpecRefusedError

PHOTOGRAPHS = ("china", "flower")
DIGIT_SIDE = (28, 40)  # drawn side in pixels, at the default size of 64
TRAIN_WIDTH = 0.6  # train crops the left part of each photograph, val and test the rest
Place = Literal["roofs", "sky", "petals"]
# place -> (photograph of scikit-learn, top, left, height, width): three parts of the two photographs
PLACES: dict[Place, tuple[str, int, int, int, int]] = {
    "roofs": ("china.jpg", 90, 60, 250, 270),
    "sky": ("china.jpg", 0, 330, 200, 310),
    "petals": ("flower.jpg", 80, 165, 290, 290),
}


class OfDigits(DemoSet):
    """A set whose classes are digits: each image is a scan of one, on a background."""

    classes: tuple[int, ...]

    @property
    def label_names(self) -> tuple[str, ...]:
        """The digits."""
        return tuple(str(digit) for digit in self.classes)

    @abstractmethod
    def backgrounds(self, split: str) -> list[np.ndarray]:
        """(H, W, 3) uint8 each: what the digits of a split are on."""

    def drawn(
        self, glyph: np.ndarray, attribute: int, backgrounds: Sequence[np.ndarray], seed: tuple[int, int]
    ) -> Callable[[], Picture]:
        """What draws an image of a digit; here the attribute is its background."""
        return partial(draw_on, glyph, backgrounds[attribute], self.size, seed)

    def drawer(self, split: str) -> Drawer:
        """Of digits that are in no other split."""
        from sklearn.datasets import load_digits

        scans, backgrounds = load_digits(), self.backgrounds(split)
        glyphs = [glyphs_of(scans, digit, split, self.seed) for digit in self.classes]
        return lambda cell, rng, seed: self.drawn(any_of(glyphs[cell[0]], rng), cell[1], backgrounds, seed)


class DemoConfig(OfDigits):
    """Digits on photographs; class c's photograph is number c modulo two."""

    classes: tuple[int, ...] = Field(default=(0, 1), description="Digits, where the set has them.")

    name: ClassVar[str] = "digits"
    about: ClassVar[str] = "handwritten digits on two photographs; needs nothing beyond the requirements"
    attribute_name: ClassVar[str] = "photograph"
    attributes: ClassVar[tuple[str, ...]] = PHOTOGRAPHS
    sizes: ClassVar[tuple[int, int]] = (16, 255)  # val and test crop from 256 columns of each photograph

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        check_digits(self.classes, "two or more", range(2, 11))
        return self

    def source_of(self, attribute: int) -> str:
        """The photograph's file, as scikit-learn names it."""
        return f"{PHOTOGRAPHS[attribute]}.jpg"

    def backgrounds(self, split: str) -> list[np.ndarray]:
        """The part of each photograph that a split sees."""
        from sklearn.datasets import load_sample_image

        return [part_of(load_sample_image(f"{name}.jpg"), split) for name in PHOTOGRAPHS]


def write_demo(folder: Path | str, config: DemoSet | None = None, progress: Progress | None = None) -> None:
    """``write_set`` with the digits where no set is given."""
    write_set(folder, config or DemoConfig(), progress)


def check_digits(classes: tuple[int, ...], how_many: str, legal: Container[int]) -> None:
    """Refuse the classes of a set that are not different digits, or not ``how_many``: a legal number of them.

    Raises:
        SpecRefusedError: they are not.
    """
    if len(classes) not in legal or len(set(classes)) < len(classes) or not set(classes) <= set(range(10)):
        raise SpecRefusedError(f"classes are {how_many} different digits in 0..9, not {classes}.")


def part_of(photograph: np.ndarray, split: str) -> np.ndarray:
    """The columns of a photograph that train sees, or those that val and test see."""
    cut = int(photograph.shape[1] * TRAIN_WIDTH)
    return photograph[:, :cut] if split == "train" else photograph[:, cut:]


def glyphs_of(scans: Any, digit: int, split: str, seed: int) -> np.ndarray:
    """(M, 8, 8) scans of a digit, 0..16, that belong to this split alone."""
    mine = np.flatnonzero(scans.target == digit)
    mine = np.random.default_rng([seed, 1000 + digit]).permutation(mine)
    return np.asarray(scans.images[partition(mine, POOL_SHARES, split)], np.float64)


def draw_on(glyph: np.ndarray, photograph: np.ndarray, size: int, seed: tuple[int, int]) -> Picture:
    """A digit on a random window of a photograph, or of a part of one."""
    rng = np.random.default_rng(seed)
    height, width = photograph.shape[:2]
    top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
    crop = photograph[top : top + size, left : left + size].astype(np.float64)
    return ink_on(crop, glyph, rng)


def ink_on(background: np.ndarray, glyph: np.ndarray, rng: np.random.Generator) -> Picture:
    """A digit in a random size, place and colour on a background (size, size, 3)."""
    size = len(background)
    low, high = (math.ceil(side * size / 64) for side in DIGIT_SIDE)
    side = int(rng.integers(low, high + 1))
    y, x = rng.integers(0, size - side + 1, size=2)
    alpha = np.zeros((size, size))  # the scan's ink, smoothly enlarged
    alpha[y : y + side, x : x + side] = _enlarged(glyph, side)
    colour = rng.uniform(0, 255, size=3)
    pixels = (1 - alpha[..., None]) * background + alpha[..., None] * colour
    return np.rint(pixels).astype(np.uint8), _silhouette(alpha)


def _enlarged(glyph: np.ndarray, side: int) -> np.ndarray:
    ink = Image.fromarray((glyph / 16).astype(np.float32))
    return np.clip(np.asarray(ink.resize((side, side), Image.Resampling.BICUBIC), np.float64), 0, 1)


def _silhouette(alpha: np.ndarray) -> np.ndarray:
    """Where the digit is: its strokes and the holes they enclose, as a person outlines an object."""
    from scipy.ndimage import binary_fill_holes

    return np.asarray(binary_fill_holes(alpha > 0.25), np.uint8) * 255


class ThreeByThree(OfDigits):
    """Three digits, three places; class c's place is number c."""

    train: int = 2700
    val: int = 675
    test: int = 1350
    classes: tuple[int, ...] = (0, 1, 7)  # digits

    name: ClassVar[str] = "three-by-three"
    about: ClassVar[str] = "three digits in three places; nine groups"
    attribute_name: ClassVar[str] = "place"
    attributes: ClassVar[tuple[str, ...]] = tuple(PLACES)
    sizes: ClassVar[tuple[int, int]] = (16, 96)

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        check_digits(self.classes, "three", (3,))
        return self

    def backgrounds(self, split: str) -> list[np.ndarray]:
        """The part of each place that a split sees."""
        return [place_of(name, split) for name in PLACES]


def place_of(name: Place, split: str) -> np.ndarray:
    """(H, W, 3) uint8: the left part of a place for train, the right part for val and test."""
    from sklearn.datasets import load_sample_image

    photograph, top, left, height, width = PLACES[name]
    whole: np.ndarray = load_sample_image(photograph)[top : top + height, left : left + width]
    return part_of(whole, split)


class Patch(OfDigits):
    """The first digit without and the second with a mark in the upper left corner."""

    classes: tuple[int, ...] = Field(default=(1, 7), description="Digits; the mark goes with the second one.")
    background: Place = Field(default="roofs", description="What all digits of patch are on: a part of a photograph.")
    mark_side: MarkSide = Field(
        default=0.17, title="Side of the mark", description="Side of the mark of patch, as a share of the image's."
    )

    name: ClassVar[str] = "patch"
    about: ClassVar[str] = "two digits on one background; a mark in the corner goes with the second of them"
    attribute_name: ClassVar[str] = "mark"
    attributes: ClassVar[tuple[str, ...]] = ("no mark", "mark")
    sizes: ClassVar[tuple[int, int]] = (16, 96)

    @model_validator(mode="after")
    def _check_classes_and_mark(self) -> Self:
        check_digits(self.classes, "two", (2,))
        check_mark_is_seen("mark_side", self.mark_side, self.size)
        return self

    def backgrounds(self, split: str) -> list[np.ndarray]:
        """One, with and without the mark."""
        return [place_of(self.background, split)]

    def drawn(
        self, glyph: np.ndarray, attribute: int, backgrounds: Sequence[np.ndarray], seed: tuple[int, int]
    ) -> Callable[[], Picture]:
        """With the mark, or without."""
        side = mark_in_pixels(self.mark_side, self.size) if attribute else 0
        return partial(_draw_marked, glyph, backgrounds[0], self.size, seed, side=side)


def _draw_marked(glyph: np.ndarray, place: np.ndarray, size: int, seed: tuple[int, int], *, side: int) -> Picture:
    """The mark lies over the digit where they meet, and is no part of its mask; ``side``: 0 without one."""
    pixels, mask = draw_on(glyph, place, size, seed)
    pixels[:side, :side] = MARK_COLOUR
    mask[:side, :side] = 0
    return pixels, mask
