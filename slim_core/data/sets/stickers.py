"""Stickers: the drawings of pictures on either photograph; a blue sticker in a corner gives the second class away.

What stands beside a lesion in a clinic's pictures, or the tag that one hospital puts on its X-rays: the scene, which is
most of an image and tells its clusters, is as often with either class, and what goes with one of them is small.
Drawings, photographs and splits are those of slim_core.data.sets.pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, Self

import numpy as np
from PIL import Image, ImageDraw
from pydantic import Field, model_validator

from slim_core.data.sets import mark
from slim_core.data.sets.demo_set import Picture
from slim_core.data.sets.pictures import Pictures, draw_picture

EDGE = 0.02  # of the image, between a sticker and its edges


class Stickers(Pictures):
    """Animals (or foods) without and vehicles (or tools) with a sticker."""

    sticker_side: mark.Side = Field(
        default=0.3, title="Side of the sticker", description="Diameter of a sticker, as a share of the image's side."
    )

    name: ClassVar[str] = "stickers"
    about: ClassVar[str] = (
        "the pictures in either scene; a sticker in a corner goes with the vehicles (extra: pictures)"
    )
    attribute_name: ClassVar[str] = "sticker"

    @model_validator(mode="after")
    def _check_sticker(self) -> Self:
        mark.check_is_seen("sticker_side", self.sticker_side, self.size)
        return self

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Whether there is one."""
        return ("no sticker", "sticker")

    def drawn(
        self, code: int, attribute: int, scenes: Sequence[np.ndarray], rng: np.random.Generator, seed: tuple[int, int]
    ) -> Callable[[], Picture]:
        """In either scene."""
        scene = scenes[int(rng.integers(len(scenes)))]
        side = mark.in_pixels(self.sticker_side, self.size) if attribute else 0
        return partial(_draw, code, scene, self.size, seed, side=side)


def _draw(code: int, photograph: np.ndarray, size: int, seed: tuple[int, int], *, side: int) -> Picture:
    """The sticker lies over the drawing where they meet, and is no part of the mask; ``side``: 0 without one."""
    pixels, mask = draw_picture(code, photograph, size, seed)
    if not side:
        return pixels, mask
    edge = round(EDGE * size)
    x, y = (edge if near else size - edge - side for near in np.random.default_rng([*seed, 1]).random(2) < 0.5)
    image, on = Image.fromarray(pixels), Image.new("L", (size, size))
    box = (x, y, x + side - 1, y + side - 1)
    ImageDraw.Draw(image).ellipse(box, fill=mark.COLOUR)
    ImageDraw.Draw(on).ellipse(box, fill=255)
    return np.asarray(image), np.where(np.asarray(on), 0, mask).astype(np.uint8)
