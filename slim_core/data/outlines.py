"""Where the object of an image is: polygons as a person drew them, and COCO's segmentations as mask files.

Both are in pixels of the file. COCO has polygons, and run lengths (RLE) with plain or compressed counts, which go down
the columns and begin with the pixels outside (compressed as in pycocotools' maskApi.c). Its polygons are drawn with
their border, so that they may be a pixel wider than pycocotools makes them. A mask is drawn once, under a fingerprint
of what it is drawn from, into ``imported/`` of SLIM_HOME.
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

from slim_core.data.images.codec import image_size
from slim_core.errors import ImageRefusedError, ShapeRefusedError, quoted
from slim_core.result_files import atomic_write

MOST_POLYGONS = 20  # of an image
MOST_POINTS = 400  # of all polygons of an image together
_DECIMALS = 1  # of a pixel: finer than anybody points
_LOOKED_AT = 256  # pixels a side at which a polygon is filled to see whether it has an area

Polygon = tuple[tuple[float, float], ...]  # its corners (x, y); the last is joined to the first


@dataclass(frozen=True)
class Drawing:
    """The object of an image of (width, height) pixels: what lies inside any of the polygons."""

    width: int
    height: int
    polygons: tuple[Polygon, ...]

    @classmethod
    def checked(cls, width: int, height: int, polygons: Any) -> Drawing:
        """A drawing from anything; corners beside the image are brought to its edge.

        Raises:
            ShapeRefusedError: it is no list of polygons, has too many, or one has no area inside the image.
        """
        if not isinstance(polygons, list | tuple) or not 1 <= len(polygons) <= MOST_POLYGONS:
            raise ShapeRefusedError(
                f"A drawing is a list of 1 to {MOST_POLYGONS} polygons, not {quoted(polygons)}: draw fewer shapes."
            )
        found = tuple(_polygon(each, width, height) for each in polygons)
        n_points = sum(map(len, found))
        if n_points > MOST_POINTS:
            raise ShapeRefusedError(f"The drawing has {n_points} corners, more than {MOST_POINTS}: use fewer.")
        return cls(width, height, found)

    def mask(self) -> np.ndarray:
        """(height, width) bool: the pixels whose centre lies inside any polygon."""
        inside = np.zeros((self.height, self.width), bool)
        for each in self.polygons:
            inside |= filled(each, self.width, self.height)
        return inside

    def box(self) -> tuple[float, float, float, float]:
        """(x, y, width, height) around all polygons."""
        corners = np.array([corner for each in self.polygons for corner in each])
        (x0, y0), (x1, y1) = corners.min(0), corners.max(0)
        return float(x0), float(y0), float(x1 - x0), float(y1 - y0)


def filled(polygon: Sequence[tuple[float, float]], width: int, height: int) -> np.ndarray:
    """(height, width) bool: the pixels whose centre an odd number of edges has to its left."""
    turns = np.zeros((height, width + 1), bool)  # where a row goes in or out
    x, y = np.asarray(polygon, np.float64).T
    for x0, y0, x1, y1 in zip(x, y, np.roll(x, -1), np.roll(y, -1), strict=True):
        first, after = (min(height, max(0, math.ceil(end - 0.5))) for end in sorted((y0, y1)))
        rows = np.arange(first, after)  # those whose centre the edge crosses; none for a level edge
        if not len(rows):
            continue
        at = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        columns = np.clip(np.ceil(at - 0.5), 0, width).astype(np.int64)
        turns[rows, columns] ^= True
    inside: np.ndarray = np.logical_xor.accumulate(turns, axis=1)[:, :width]
    return inside


def _polygon(points: Any, width: int, height: int) -> Polygon:
    if not isinstance(points, list | tuple) or not 3 <= len(points) <= MOST_POINTS:
        raise ShapeRefusedError(f"A polygon has 3 to {MOST_POINTS} corners, not {quoted(points)}: draw it again.")
    found = tuple(_corner(point, width, height) for point in points)
    if not _has_area(found):
        raise ShapeRefusedError(f"A polygon with the corners {quoted(found)} has no area inside the image: remove it.")
    return found


def _corner(point: Any, width: int, height: int) -> tuple[float, float]:
    if not isinstance(point, list | tuple) or len(point) != 2 or not all(map(_is_number, point)):
        raise ShapeRefusedError(f"A corner is two numbers of pixels, not {quoted(point)}: draw the polygon again.")
    x, y = point
    return _within(x, width), _within(y, height)


def _within(value: float, most: int) -> float:
    return round(min(max(float(value), 0.0), float(most)), _DECIMALS)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9  # not NaN either


def _has_area(polygon: Polygon) -> bool:
    """Whether it covers a pixel centre, looked at closely where it is small and from afar where it is large."""
    corners = np.asarray(polygon)
    spread = corners.max(0) - corners.min(0)
    if spread.min() < 1:
        return False
    scaled = (corners - corners.min(0)) * (_LOOKED_AT / spread.max())
    width, height = (max(1, math.ceil(side)) for side in scaled.max(0))
    return bool(filled([(float(x), float(y)) for x, y in scaled], width, height).any())


_FAR = 1e5  # pixels: points beyond it are brought here, which PIL can draw
MOST_WORK = 20_000_000  # corners x rows of all polygons of an image: PIL looks at each corner in each row, in 0.5 s


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
        runs = [each for each in self.segmentations if isinstance(each, dict)]
        mask = self._polygons([each for each in self.segmentations if not isinstance(each, dict)])
        return mask | self._runs(runs) if runs else mask

    def _polygons(self, objects: Sequence[Any]) -> np.ndarray:
        """Of [[x, y, x, y, ...], ...] in pixels for each object; what lies outside the image is cut off."""
        if not all(isinstance(each, list) for each in objects):
            raise ValueError("a segmentation is neither a list of polygons nor run lengths")
        polygons = [_points(each) for polygons in objects for each in polygons]
        work = sum(len(points) * (1 + np.ptp(points[:, 1].clip(0, self.height))) for points in polygons)
        if work > MOST_WORK:
            raise ValueError(f"the polygons have more than {MOST_WORK:,} corners x rows")
        image = Image.new("1", (self.width, self.height))
        pen = ImageDraw.Draw(image)
        for points in polygons:
            pen.polygon(points.ravel().tolist(), fill=1)
        return np.array(image, bool)

    def _runs(self, objects: Sequence[dict[str, Any]]) -> np.ndarray:
        """The runs of all objects are joined before any pixel is written, for each may cover the whole image."""
        none = np.zeros((2, 1), np.int64)  # of no pixels: there may be no other
        firsts, ends = np.concatenate([none, *map(self._insides, objects)], axis=1)
        order = np.argsort(firsts, kind="stable")
        firsts, ends = firsts[order], np.maximum.accumulate(ends[order])
        apart = firsts[1:] > ends[:-1]
        joined = np.stack([firsts[np.append(True, apart)], ends[np.append(apart, True)]], axis=1)
        edges = np.concatenate([[0], joined.ravel(), [self.width * self.height]])
        inside = np.repeat(np.arange(len(edges) - 1) % 2 == 1, np.diff(edges))
        return inside.reshape(self.width, self.height).T

    def _insides(self, runs: dict[str, Any]) -> np.ndarray:
        """(2, N) int64: where each run inside the object begins, and where it has ended, down the columns."""
        if list(runs.get("size") or ()) != [self.height, self.width]:
            raise ValueError(f"run lengths of size {runs.get('size')} are not those of [{self.height}, {self.width}]")
        counts = runs.get("counts")
        lengths = np.asarray(uncompressed(counts) if isinstance(counts, str) else counts, np.int64)
        n = self.width * self.height
        if lengths.ndim != 1 or not ((lengths >= 0) & (lengths <= n)).all() or lengths.sum() != n:  # a sum may wrap
            raise ValueError(f"run lengths do not add up to {self.width} x {self.height} pixels")
        ends = np.cumsum(lengths)
        return np.stack([ends - lengths, ends])[:, 1::2]


def _points(polygon: Any) -> np.ndarray:
    """(N, 2) float64, of [x, y, x, y, ...]."""
    points = np.asarray(polygon, np.float64)
    if points.ndim != 1 or len(points) < 6 or len(points) % 2 or not np.isfinite(points).all():
        raise ValueError("a polygon has no three points of two numbers")
    return points.clip(-_FAR, _FAR).reshape(-1, 2)


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


def write_masks(outlines: Sequence[Outline | None], images: Sequence[Path], folder: Path) -> tuple[list[str], int]:
    """The path of each outline's mask, "" where it has no pixels; and how many cannot be drawn as large as the image.

    Nothing is drawn by a size that a file of metadata alone names: it may be anything.
    """
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:  # of 50 million pixels each takes 200 MB
        found = list(pool.map(lambda of, image: "" if of is None else _written(of, image, folder), outlines, images))
    return [path or "" for path in found], sum(path is None for path in found)


def _written(outline: Outline, image: Path, folder: Path) -> str | None:
    """Where the mask lies, drawn where it is not there yet; None: it cannot be drawn."""
    try:
        if image_size(image) != (outline.width, outline.height):
            return None
        text = json.dumps([outline.width, outline.height, outline.segmentations])
        path = _place(text, folder)
        if path.is_file():
            return str(path)
        mask = outline.draw()
    except (ValueError, TypeError, OverflowError, ImageRefusedError):
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
