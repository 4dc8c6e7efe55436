"""Stickers: the drawings of pictures on either photograph; a blue sticker in a corner gives the second class away.

What stands beside a lesion in a clinic's pictures, or the tag that one hospital puts on its X-rays: the scene, which is
most of an image and tells its clusters, is as often with either class, and what goes with one of them is small.
Drawings, photographs and splits are those of slim_core.data.sets.pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
from PIL import Image, ImageDraw

from slim_core.data.sets.demo_set import Picture
from slim_core.data.sets.pictures import Pictures, draw_picture

COLOUR = (0, 114, 178)  # RGB
SIDE = 0.3  # its diameter, as a share of the image
EDGE = 0.02  # between it and the edges


class Stickers(Pictures):
    """Animals (or foods) without and vehicles (or tools) with a sticker."""

    name: ClassVar[str] = "stickers"
    about: ClassVar[str] = (
        "the pictures in either scene; a sticker in a corner goes with the vehicles (extra: pictures)"
    )
    attribute_name: ClassVar[str] = "sticker"

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Whether there is one."""
        return ("no sticker", "sticker")

    def drawn(
        self, code: int, attribute: int, scenes: Sequence[np.ndarray], rng: np.random.Generator, seed: tuple[int, int]
    ) -> Callable[[], Picture]:
        """In either scene."""
        scene = scenes[int(rng.integers(len(scenes)))]
        return partial(_draw, code, scene, self.size, seed, stuck=bool(attribute))


def _draw(code: int, photograph: np.ndarray, size: int, seed: tuple[int, int], *, stuck: bool) -> Picture:
    """The sticker lies over the drawing where they meet, and is no part of the mask."""
    pixels, mask = draw_picture(code, photograph, size, seed)
    if not stuck:
        return pixels, mask
    side, edge = round(SIDE * size), round(EDGE * size)
    x, y = (edge if near else size - edge - side for near in np.random.default_rng([*seed, 1]).random(2) < 0.5)
    image, on = Image.fromarray(pixels), Image.new("L", (size, size))
    box = (x, y, x + side - 1, y + side - 1)
    ImageDraw.Draw(image).ellipse(box, fill=COLOUR)
    ImageDraw.Draw(on).ellipse(box, fill=255)
    return np.asarray(image), np.where(np.asarray(on), 0, mask).astype(np.uint8)
