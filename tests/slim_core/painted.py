"""A small real data set for tests: photographs painted with a square whose brightness is the label, masks included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from slim_core.data.table import COLUMNS, ImageTable

SPLIT_OF = ("train", "train", "train", "val", "test")


def painted_table(
    folder: Path, n: int = 60, *, size: int = 64, n_classes: int = 2, masks: bool = True, seed: int = 0
) -> ImageTable:
    """n images: class c is a square of brightness c, on a reddish or bluish noise background (the attribute)."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rows = [_paint(folder, i, i % n_classes, int(rng.integers(2)), size, n_classes, masks, rng) for i in range(n)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    labels = tuple(f"level {c}" for c in range(n_classes))
    return ImageTable("painted", folder, frame, labels, "background", ("red", "blue"))


def _paint(
    folder: Path, i: int, label: int, attribute: int, size: int, n_classes: int, mask: bool, rng: np.random.Generator
) -> tuple[object, ...]:
    pixels = rng.integers(60, 120, (size, size, 3))
    pixels[..., 2 * attribute] += 80
    x, y = rng.integers(size // 8, size // 2, 2)
    side = size // 3
    pixels[y : y + side, x : x + side] = 255 * label // (n_classes - 1)
    Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
    if mask:
        inside = np.zeros((size, size), np.uint8)
        inside[y : y + side, x : x + side] = 255
        Image.fromarray(inside).save(folder / f"{i}-mask.png")
    split = SPLIT_OF[(i // n_classes) % len(SPLIT_OF)]
    return f"{i}.png", split, label, attribute, f"{i}-mask.png" if mask else "", *([np.nan] * 4)


def wide_folders(root: Path) -> Path:
    """Images of 96 x 32 in folders of two classes: a square far left, outside the middle, is all that differs."""
    rng = np.random.default_rng(0)
    for split, n in (("train", 16), ("val", 8), ("test", 8)):
        for row in range(n):
            pixels = rng.integers(90, 110, (32, 96, 3), np.uint8)
            pixels[8:24, 2:18] = (20, 240)[row % 2]
            path = root / split / ("dark", "light")[row % 2] / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root
