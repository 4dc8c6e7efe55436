"""The propagated scores of a space as one small picture, so that a map of 100,000 images follows every answer."""

from __future__ import annotations

import numpy as np

from slim_core.evaluation.charts.layout import ANSWERS, INK, UNKNOWN, ramp, rgb

MARGIN = 8  # pixels
FEW = 20_000  # points above which each is a single pixel
RING = "#FFFFFF"  # around an answered image


def live_map(
    points: np.ndarray, scores: np.ndarray, answers: np.ndarray, asked: np.ndarray, width: int = 460, height: int = 320
) -> np.ndarray:
    """(height, width, 4) uint8, transparent where there is nothing; outlined, so that it shows on light and dark pages.

    Args:
        points: (n, 2); the aspect ratio is kept.
        scores: (n,) 0..1 by colour (dark low, light high), NaN grey; a pixel shows the mean of its points.
        answers: (n,) 1, 0, -1, drawn over all others as dots where asked (n,) bool.
    """
    x, y = _pixels(points, width, height)
    radius = 1 if len(points) <= FEW else 0
    picture = np.zeros((height * width, 4), np.uint8)
    for dx, dy in _disk(radius + 1):
        picture[(y + dy) * width + x + dx] = [*rgb(INK), 255]
    total, known, n = (np.zeros(height * width) for _ in range(3))
    for dx, dy in _disk(radius):
        at = (y + dy) * width + x + dx
        n += np.bincount(at, minlength=len(n))
        total += np.bincount(at, np.nan_to_num(scores), len(n))
        known += np.bincount(at, ~np.isnan(scores), len(n))
    picture[n > 0] = [*rgb(UNKNOWN), 255]
    seen = known > 0
    picture[seen, :3] = ramp(256)[np.rint(255 * np.clip(total[seen] / known[seen], 0, 1)).astype(int)]
    _mark(picture.reshape(height, width, 4), x[asked], y[asked], answers[asked])
    return picture.reshape(height, width, 4)


def _mark(picture: np.ndarray, x: np.ndarray, y: np.ndarray, answers: np.ndarray) -> None:
    for value, colour in reversed(ANSWERS.items()):  # right ones on top
        mine = answers == value
        for radius, shade in ((4, RING), (3, colour)):
            for dx, dy in _disk(radius):
                picture[y[mine] + dy, x[mine] + dx] = [*rgb(shade), 255]


def _pixels(points: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    low, extent = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-9)
    scale = min((width - 2 * MARGIN) / extent[0], (height - 2 * MARGIN) / extent[1])
    offset = (np.array([width, height]) - scale * extent) / 2
    at = np.rint((points - low) * scale + offset).astype(np.int64)
    return at[:, 0].clip(5, width - 6), (height - 1 - at[:, 1]).clip(5, height - 6)


def _disk(radius: int) -> list[tuple[int, int]]:
    reach = range(-radius, radius + 1)
    return [(dx, dy) for dx in reach for dy in reach if dx * dx + dy * dy <= (radius + 0.3) ** 2]
