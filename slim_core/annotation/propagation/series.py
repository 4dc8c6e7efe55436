"""Sums of a Gaussian kernel over many points, by its Fourier series: their time is the sum of both numbers of points.

exp(-gamma d^2) is even and smooth, so that on an interval it is a short sum of cosines to the last digit of a float64,
and a cosine of a difference is a product of what belongs to either point. In two dimensions it is a product of two.
"""

from __future__ import annotations

import numpy as np

EXPONENT = 39.0  # at which the series ends and its next period begins: exp(-39) = 1e-17
AT_ONCE = 100_000  # terms of points that are held at once: 800 KB an axis, which stays in a cache
PAIR = 10  # products of terms in the time of one pair of points, whose kernel is an exponential


class Series:
    """The kernel over the extent of the points x (n, 2)."""

    def __init__(self, x: np.ndarray, gamma: float) -> None:
        low, high = x.min(axis=0), x.max(axis=0)
        self._gamma, self._middle = gamma, (low + high) / 2  # phases stay small, and so does their rounding
        self._periods = (high - low + np.sqrt(EXPONENT / gamma)).tolist()
        self._shape = [2 * _n_waves(period, gamma) + 1 for period in self._periods]  # terms of an axis

    def is_quicker(self, n_at: int, n_centres: int) -> bool:
        """True where ``sums`` takes less time than all pairs would."""
        return self._shape[0] * self._shape[1] * (n_at + n_centres) < PAIR * n_at * n_centres

    def sums(self, at: np.ndarray, centres: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """sum_j weights_j exp(-gamma |at_i - centres_j|^2) (n,), to about 1e-15 of the sum of all weights."""
        product = np.zeros(self._shape)
        for part in self._parts(len(centres)):
            x, y = self._of(centres[part])  # (p, t), (p, u)
            product += x.T @ (weights[part, None] * y)
        found = np.empty(len(at))
        for part in self._parts(len(at)):
            x, y = self._of(at[part])
            found[part] = np.einsum("ij,ij->i", x @ product, y)
        return found

    def _of(self, points: np.ndarray) -> list[np.ndarray]:
        """For each axis (p, terms): the inner product of two points' rows is the kernel of their difference."""
        rows = []
        for axis, period in enumerate(self._periods):
            amplitudes = _amplitudes(period, self._gamma)  # (k,)
            turn = np.exp(2j * np.pi / period * (points[:, axis] - self._middle[axis]))
            waves = _powers(turn, len(amplitudes)) * amplitudes  # (p, k)
            rows.append(np.hstack([waves.real, waves.imag[:, 1:]]))
        return rows

    def _parts(self, n: int) -> list[slice]:
        step = max(1, AT_ONCE // max(self._shape))
        return [slice(start, start + step) for start in range(0, n, step)]


def _n_waves(period: float, gamma: float) -> int:
    return int(np.ceil(period / np.pi * np.sqrt(EXPONENT * gamma)))


def _amplitudes(period: float, gamma: float) -> np.ndarray:
    """Square roots of the coefficients of the frequencies 0, 1 / period, 2 / period ... (k,)."""
    frequencies = 2 * np.pi / period * np.arange(_n_waves(period, gamma) + 1)
    coefficients = np.sqrt(np.pi / gamma) / period * np.exp(-(frequencies**2) / (4 * gamma))
    coefficients[1:] *= 2  # for a frequency and its negative
    return np.asarray(np.sqrt(coefficients))


def _powers(turn: np.ndarray, n: int) -> np.ndarray:
    """(p, n) the powers 0 to n - 1 of p complex numbers, of which twice as many are known after each product."""
    powers = np.ones((len(turn), n), complex)
    known, next_one = 1, turn
    while known < n:
        some = min(known, n - known)
        powers[:, known : known + some] = powers[:, :some] * next_one[:, None]
        known, next_one = known + some, next_one**2
    return powers
