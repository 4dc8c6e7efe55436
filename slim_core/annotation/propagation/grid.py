"""Kernel smoothing over the points of a class in O(n): a Gaussian blur on a grid, once for many sets of values."""

from __future__ import annotations

import numpy as np

from slim_core.errors import SpecRefusedError

CELL = 0.01  # of the grid, in standard deviations of the class's points
FINE, COARSE = 20, 2  # cells in a standard deviation of the kernel: as many where it is narrow, and the fewest that do
REACH = 80.0  # exponent at which a kernel is cut, exp(-80) = 2e-35
MAX_CELLS = 32_000_000
DENSE_BELOW = 2_500  # cells of an axis up to which its blur is one matrix product (a 50 MB matrix at most)


class Grid:
    """The points (n, 2) of a class, splatted bilinearly: blurred by a separable Gaussian, read back bilinearly."""

    def __init__(self, x: np.ndarray, gamma: float) -> None:
        """Points as of ``standardise``.

        Raises:
            SpecRefusedError: the kernel is too narrow for a grid of at most MAX_CELLS.
        """
        moved, cell = _fit(x, gamma)
        low = np.floor(moved / cell).astype(np.int64)  # (n, 2)
        part = moved / cell - low
        self._shape = (int(low[:, 0].max()) + 2, int(low[:, 1].max()) + 2)
        corners = [(low[:, 0] + i) * self._shape[1] + low[:, 1] + j for i in (0, 1) for j in (0, 1)]
        weights = [np.abs(1 - i - part[:, 0]) * np.abs(1 - j - part[:, 1]) for i in (0, 1) for j in (0, 1)]
        self._corners, self._weights = np.stack(corners), np.stack(weights)  # (4, n)
        self._taps = _kernel(gamma, cell, max(self._shape))
        self._matrices = [_band(size, self._taps) if size <= DENSE_BELOW else None for size in self._shape]
        self._total = self._blurred(np.ones(len(x)))

    def smooth(self, values: np.ndarray) -> np.ndarray:
        """sum_m W_im values_m / sum_m W_im at every point (n,); the second sum is kept from the start."""
        return np.asarray(self._blurred(values) / self._total)

    def _blurred(self, values: np.ndarray) -> np.ndarray:
        weighted = (self._weights * values).ravel()
        n_cells = self._shape[0] * self._shape[1]
        grid = np.bincount(self._corners.ravel(), weighted, n_cells).reshape(self._shape)
        for axis in (0, 1):
            grid = self._along(grid, axis)
        return np.asarray((grid.ravel()[self._corners] * self._weights).sum(axis=0))

    def _along(self, grid: np.ndarray, axis: int) -> np.ndarray:
        matrix = self._matrices[axis]
        if matrix is None:
            from scipy.ndimage import correlate1d

            return np.asarray(correlate1d(grid, self._taps, axis=axis, mode="constant"))
        return np.asarray(matrix @ grid if axis == 0 else grid @ matrix)


def _band(size: int, taps: np.ndarray) -> np.ndarray:
    """(size, size) symmetric matrix whose product with a column is its correlation with the taps."""
    from scipy.linalg import toeplitz

    row = np.zeros(size)
    half = taps[len(taps) // 2 :][:size]
    row[: len(half)] = half
    return np.asarray(toeplitz(row))


def _kernel(gamma: float, cell: float, widest: int) -> np.ndarray:
    """The Gaussian's taps; splat and read-back each blur by cell^2 / 6 on an axis, which is taken off its variance.

    At most ``widest`` to each side: beyond the grid there is nothing to weigh.
    """
    variance = 1 / (2 * gamma) - cell**2 / 3
    radius = int(np.ceil(min(np.sqrt(2 * variance * REACH) / cell, widest)))
    taps = np.arange(-radius, radius + 1) * cell
    return np.asarray(np.exp(-(taps**2) / (2 * variance)))


def _fit(x: np.ndarray, gamma: float) -> tuple[np.ndarray, float]:
    """Points moved to start at 0 with gaps wider than the kernel closed up, so that outliers cost no empty grid."""
    gap = 2 * np.sqrt(REACH / gamma)
    closed = np.column_stack([_close_gaps(x[:, axis], gap) for axis in range(x.shape[1])])
    std = 1 / np.sqrt(2 * gamma)
    cell = min(CELL, std / FINE)
    while np.prod(np.ceil(closed.max(axis=0) / cell) + 2) > MAX_CELLS:
        cell *= 1.25
    if cell > std / COARSE:
        raise SpecRefusedError(
            f"A gamma of {gamma:g} is too narrow a kernel for the grid, on which {len(x):,} images of a class are "
            f"smoothed: choose a smaller one, or the exact propagation, whose time grows with the square of the images."
        )
    return closed, cell


def _close_gaps(values: np.ndarray, widest: float) -> np.ndarray:
    order = np.argsort(values, kind="stable")
    steps = np.minimum(np.diff(values[order], prepend=values[order[:1]]), widest)
    closed = np.empty(len(values))
    closed[order] = np.cumsum(steps)
    return closed
