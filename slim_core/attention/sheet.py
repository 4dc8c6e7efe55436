"""A few images beside their attention, as one picture: what a terminal can point to. Light: no torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from slim_core.data.images import empty_map
from slim_core.data.images.transform import ImageTransform, load_picture
from slim_core.data.table import ImageTable

SIDE = 160  # pixels of a picture
A_ROW = 4  # images beside each other, each with its overlay
GAP = 8  # pixels between images


def draw_sheet(
    table: ImageTable, rows: NDArray[np.int64], maps: NDArray[np.float32], transform: ImageTransform
) -> NDArray[np.uint8]:
    """(height, width, 3) pixels on white: each row's image, and right of it the same under its raw map (n, U, V)."""
    n_lines = -(-len(rows) // A_ROW)
    sheet = np.full((n_lines * (SIDE + GAP) - GAP, A_ROW * (2 * SIDE + GAP) - GAP, 3), 255, np.uint8)
    geometry = replace(transform, size=SIDE)
    for at, (row, raw) in enumerate(zip(rows, maps, strict=True)):
        image = load_picture(table.image_path(int(row)), geometry)
        pair = np.concatenate([image, empty_map.overlay(image, raw)], axis=1)
        top, left = at // A_ROW * (SIDE + GAP), at % A_ROW * (2 * SIDE + GAP)
        sheet[top : top + SIDE, left : left + 2 * SIDE] = pair
    return sheet
