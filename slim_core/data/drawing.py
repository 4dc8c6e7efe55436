"""Where the object of an image is, as a person drew it: polygons in pixels of the file, checked and filled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slim_core.errors import ShapeRefusedError, quoted

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
