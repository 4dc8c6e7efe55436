"""Where the object is: what was drawn, a mask or a box, in the pixels that the network sees."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from slim_core.data.images.codec import brightness, decoded, image_size, in_16_bits
from slim_core.data.images.transform import ImageTransform

if TYPE_CHECKING:  # the package of table.py reads images, so the arrow back is for types alone
    from slim_core.data.table import ImageTable

GREY_FROM = 128  # of 255: from here on a grey mask counts; in a file without such pixels all that is not 0 does
GREY_WITHIN = 8  # of 255: by so much the channels of a grey differ where JPEG has rounded them


def box_mask(box: tuple[float, float, float, float], width: int, height: int) -> np.ndarray:
    """(height, width) bool of the pixels a box (x, y, width, height) touches; origin top left, floats in pixels."""
    x, y, box_width, box_height = box
    mask = np.zeros((height, width), bool)
    x0, y0 = max(0, math.floor(x)), max(0, math.floor(y))
    x1, y1 = max(0, math.ceil(x + box_width)), max(0, math.ceil(y + box_height))
    mask[y0:y1, x0:x1] = True
    return mask


def load_mask(table: ImageTable, row: int, transform: ImageTransform) -> np.ndarray | None:
    """(size, size) float32 in {0, 1}: the object as drawn, its mask or its box, carried through the transform.

    None where nothing is known of it. What was drawn goes before the mask, and that before the box. A grey mask counts
    from one half up; a mask of another scale than its image is brought to the image's.

    Raises:
        ImageRefusedError: the mask or the image cannot be read.
    """
    drawn, mask_path, box = table.drawn.get(row), table.mask_path(row), table.box(row)
    if drawn is None and mask_path is None and box is None:
        return None
    size = image_size(table.image_path(row))
    if drawn is not None:
        inside = drawn.mask()
    elif mask_path is not None:
        inside = grey_mask(mask_path)
    else:
        assert box is not None
        inside = box_mask(box, *size)
    mask = Image.fromarray(inside.astype(np.uint8) * 255)
    if mask.size != size:
        mask = mask.resize(size, Image.Resampling.NEAREST)
    return (np.asarray(transform.fit(mask)) >= 128).astype(np.float32)


def grey_mask(path: Path) -> np.ndarray:
    """(H, W) bool, from one half of grey up; of files that hold colours or numbers of objects, all that is not 0."""
    colours = np.asarray(decoded(path, "RGB", None, in_8_bits=_objects))
    strongest, weakest = colours.max(axis=2), colours.min(axis=2)
    is_grey = strongest.max(initial=0) >= GREY_FROM and bool((strongest - weakest <= GREY_WITHIN).all())
    inside: np.ndarray = strongest >= (GREY_FROM if is_grey else 1)
    return inside


def _objects(wide: np.ndarray, path: Path | str) -> np.ndarray:
    """(H, W) uint8 of a mask: grey, or numbers of objects, of which none but 0 becomes 0."""
    if not in_16_bits(wide.min(initial=0), wide.max(initial=0)):
        return (wide > 0).astype(np.uint8)
    return np.asarray(np.maximum(brightness(wide, path), wide > 0))
