"""COCO's segmentations as mask files: polygons, and run lengths (RLE) with plain or compressed counts.

Run lengths go down the columns, and begin with the pixels outside (compressed as in pycocotools' maskApi.c). A polygon
is drawn with its border, so that it may be a pixel wider than pycocotools makes it. A mask is drawn once, under a
fingerprint of what it is drawn from, into ``imported/`` of SLIM_HOME.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from slim_core.result_files import atomic_write

_FAR = 1e5  # pixels: points beyond it are brought here, which PIL can draw


@dataclass(frozen=True)
class Outline:
    """The segmentations of the objects of one image that make its mask."""

    width: int
    height: int
    segmentations: tuple[Any, ...]  # as they stand in the file

    def draw(self) -> np.ndarray:
        """(height, width) bool: inside any of them.

        Raises:
            ValueError: one is neither polygons nor run lengths of this size.
        """
        mask = np.zeros((self.height, self.width), bool)
        for each in self.segmentations:
            mask |= self._runs(each) if isinstance(each, dict) else self._polygons(each)
        return mask

    def _polygons(self, polygons: Any) -> np.ndarray:
        """Of [[x, y, x, y, ...], ...] in pixels; what lies outside the image is cut off."""
        if not isinstance(polygons, list):
            raise ValueError("a segmentation is neither a list of polygons nor run lengths")
        image = Image.new("1", (self.width, self.height))
        pen = ImageDraw.Draw(image)
        for each in polygons:
            points = np.asarray(each, np.float64)
            if points.ndim != 1 or len(points) < 6 or len(points) % 2 or not np.isfinite(points).all():
                raise ValueError("a polygon has no three points of two numbers")
            pen.polygon([*points.clip(-_FAR, _FAR)], fill=1)
        return np.asarray(image, bool)

    def _runs(self, runs: dict[str, Any]) -> np.ndarray:
        if list(runs.get("size") or ()) != [self.height, self.width]:
            raise ValueError(f"run lengths of size {runs.get('size')} are not those of [{self.height}, {self.width}]")
        counts = runs.get("counts")
        lengths = np.asarray(uncompressed(counts) if isinstance(counts, str) else counts, np.int64)
        n = self.width * self.height
        if lengths.ndim != 1 or not ((lengths >= 0) & (lengths <= n)).all() or lengths.sum() != n:  # a sum may wrap
            raise ValueError(f"run lengths do not add up to {self.width} x {self.height} pixels")
        inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
        return inside.reshape(self.width, self.height).T


def uncompressed(counts: str) -> list[int]:
    """Run lengths from COCO's text: 5 bits a letter, the least first; from the fourth on less the last but one.

    Raises:
        ValueError: it ends within a number, or has other letters.
    """
    lengths: list[int] = []
    value = shift = 0
    for letter in counts:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("compressed run lengths hold what cannot be one")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:  # more of it follows
            continue
        if bits & 0x10:  # negative
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("compressed run lengths end within a number")
    return lengths


def write_masks(outlines: Sequence[Outline | None], folder: Path) -> tuple[list[str], int]:
    """The path of each outline's mask, "" where it has no pixels; and how many outlines cannot be drawn."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found = list(pool.map(lambda outline: "" if outline is None else _written(outline, folder), outlines))
    return [path or "" for path in found], sum(path is None for path in found)


def _written(outline: Outline, folder: Path) -> str | None:
    """Where the mask lies, drawn where it is not there yet; None: it cannot be drawn."""
    try:
        text = json.dumps([outline.width, outline.height, outline.segmentations])
        path = _place(text, folder)
        if path.is_file():
            return str(path)
        mask = outline.draw()
    except (ValueError, TypeError, OverflowError):
        return None
    if not mask.any():
        return ""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as draft:  # two images may have the same mask
        Image.fromarray(mask).save(draft, "PNG")
    return str(path)


def _place(text: str, folder: Path) -> Path:
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return folder / digest[:2] / f"{digest}.png"


def outline(size: tuple[float, float], segmentations: Iterable[Any]) -> Outline | None:
    """The outline of an image of (width, height), by the segmentations of its objects; None: there are none to draw."""
    width, height = size
    given = tuple(each for each in segmentations if isinstance(each, list | dict) and each)
    if not given or not math.isfinite(width) or not math.isfinite(height) or not 0 < width * height:
        return None
    return Outline(int(width), int(height), given)
