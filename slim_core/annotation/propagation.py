"""S5: from a few answers to a score for every image, the probability that the attention is right.

Label spreading at alpha -> 0 in closed form: kernel regression from the answered images, then kernel smoothing over
all images of the class. The regression runs in logarithms, so that an image far from every answer still gets the score
of the nearest ones, never 0/0. Of n images and L answers it takes n x L steps, of many some n on a grid, and nothing
grows with the square of n.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from slim_core.errors import AnswersRefusedError
from slim_core.store.campaigns.consensus import COUNTED, RIGHT, UNSURE

GAMMAS = (10.0, 5.0)  # reference: class 0, class 1
ALPHA = 1e-6  # of label spreading: how much of an answered image's label may flow
BLUR_ABOVE = 4_000  # images of a class: more are smoothed on a grid, fewer pair by pair
REGRESS_ABOVE = 200_000_000  # images x answers of a class: more are regressed on the grid, fewer pair by pair
CELLS = 20  # of the grid in a standard deviation of the kernel
REACH = 5.0  # standard deviations at which the blur is cut
LEAST_DEGREE = 1e-4  # of an answered point, on the grid: with no other in reach it is 0, and a blur is no closer
MOST_CELLS = 4_000_000  # of the grid; where a kernel is so narrow that it would have more, they are larger
CHUNK_ENTRIES = 1_000_000  # kernel entries held at once: 8 MB an array, which stays in a processor's cache


def expand(points: np.ndarray, labels: np.ndarray, answers: np.ndarray, gammas: Sequence[float] = GAMMAS) -> np.ndarray:
    """Propagate answers to every image, class by class (METHOD S5).

    Equals scikit-learn's ``LabelSpreading(kernel="rbf", gamma, alpha=1e-6)`` and its ``predict_proba`` of "right" on
    the class's points, centred and divided by one standard deviation, to 1e-8; in a class of more than BLUR_ABOVE
    images to about 1e-3.

    Args:
        points: (N, 2) attention space E.
        labels: (N,) class of each image.
        answers: (N,) int, what each counts as: 1 right, 0 wrong (an empty map too), -1 unsure or not asked.
        gammas: kernel width of class 0, 1, ...; the last one also serves the classes after it.

    Returns:
        (N,) float64 scores in 0..1. A class whose answers all agree has that constant score. A class without any
        right or wrong answer is all NaN: nothing is known about it; ``curate`` decides what to do then.

    Raises:
        AnswersRefusedError: arrays of different lengths, or an answer other than 1, 0 and -1.
    """
    if not len(points) == len(labels) == len(answers):
        raise AnswersRefusedError(
            f"{len(answers)} answers do not fit {len(points)} points and {len(labels)} labels: they belong to another "
            f"attention space; choose the campaign of this one."
        )
    strange = np.setdiff1d(answers, COUNTED)
    if len(strange):
        raise AnswersRefusedError(f"An answer is {strange[0]}: use 1 (right), 0 (wrong) or -1 (unsure).")
    scores = np.full(len(labels), np.nan)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        gamma = gammas[min(int(label), len(gammas) - 1)]
        scores[members] = _of_class(points[members], answers[members], gamma)
    return scores


def _of_class(points: np.ndarray, answers: np.ndarray, gamma: float) -> np.ndarray:
    """The scores (n,) of one class's points (n, 2), given its answers (n,)."""
    known = np.flatnonzero(answers != UNSURE)
    if len(known) == 0:
        return np.full(len(points), np.nan)
    if len(np.unique(answers[known])) == 1:  # exact, and free of rounding
        return np.full(len(points), float(answers[known[0]]))
    x = standardise(points)
    right = answers[known] == RIGHT
    if len(points) <= BLUR_ABOVE:
        scores = _smooth(x, _regress(x, known, right, gamma), gamma)
    else:
        grid = _Grid(x, gamma)
        regressed = len(x) * len(known) > REGRESS_ABOVE
        scores = grid.smoothed(grid.regressed(known, right) if regressed else _regress(x, known, right, gamma))
    return np.asarray(np.clip(scores, 0.0, 1.0))


def standardise(points: np.ndarray) -> np.ndarray:
    """Points minus their mean, divided by one standard deviation over both axes: the aspect ratio stays."""
    points = np.asarray(points, np.float64)
    std = points.std()
    return np.asarray((points - points.mean()) / (std if std > 0 else 1.0))


def _regress(x: np.ndarray, known: np.ndarray, right: np.ndarray, gamma: float) -> np.ndarray:
    """F(1) of every point (n,): kernel regression from the answered points, each divided by the root of its degree.

    F(1) of an answered point is its own answer, and a millionth of what the others say.
    """
    log_root = 0.5 * np.log(_degrees(x, known, gamma))  # (L,)
    scores = np.empty(len(x))
    for rows in _chunks(len(x), len(known)):
        w = _log_kernel(x[rows], x[known], gamma) - log_root
        w = np.exp(w - w.max(axis=1, keepdims=True))
        scores[rows] = w @ right / w.sum(axis=1)
    for rows in _chunks(len(known), len(known)):
        s = np.exp(_log_kernel(x[known[rows]], x[known], gamma) - log_root[rows, None] - log_root)
        s[np.arange(len(s)), np.arange(rows.start, rows.stop)] = 0.0
        own = (1 - ALPHA) * right[rows] + ALPHA * (s @ right)
        scores[known[rows]] = own / (1 - ALPHA + ALPHA * s.sum(axis=1))
    return scores


def _degrees(x: np.ndarray, known: np.ndarray, gamma: float) -> np.ndarray:
    """Sum over i != j of W_ij (L,), for the answered points; 1 for a point that is alone."""
    total = np.zeros(len(known))
    for rows in _chunks(len(x), len(known)):
        w = np.exp(_log_kernel(x[rows], x[known], gamma))
        itself = np.flatnonzero((known >= rows.start) & (known < rows.stop))
        w[known[itself] - rows.start, itself] = 0.0
        total += w.sum(axis=0)
    return np.where(total > 0, total, 1.0)


def _smooth(x: np.ndarray, first: np.ndarray, gamma: float) -> np.ndarray:
    """sum_m W_im F_m / sum_m W_im (n,), a block of rows at a time; W_ii = 1, so it never divides by 0."""
    scores = np.empty(len(x))
    for rows in _chunks(len(x), len(x)):
        w = np.exp(_log_kernel(x[rows], x, gamma))
        scores[rows] = (w @ first) / w.sum(axis=1)
    return scores


class _Grid:
    """Sums of the kernel over points x (n, 2), by a Gaussian blur: each in the nearest cell, and read in between."""

    def __init__(self, x: np.ndarray, gamma: float) -> None:
        std = 1 / np.sqrt(2 * gamma)
        moved = np.column_stack([_gaps_closed(x[:, axis], 2 * REACH * std) for axis in (0, 1)])
        cell = std / CELLS
        while np.prod(np.ceil(moved.max(axis=0) / cell) + 2) > MOST_CELLS:
            cell *= 1.25
        self._std = std / cell
        self._places = moved / cell  # in cells
        self._shape = tuple((np.ceil(self._places.max(axis=0)).astype(int) + 2).tolist())
        self._cells = np.ravel_multi_index(tuple(np.rint(self._places).astype(int).T), self._shape)
        self._x = x
        self._of_all = self._sums(np.ones(len(x)))

    def _sums(self, values: np.ndarray, at: np.ndarray | slice = slice(None)) -> np.ndarray:
        """sum_m W_im values_m (n,), over the points ``at`` which the values lie."""
        from scipy.ndimage import gaussian_filter, map_coordinates

        grid = np.bincount(self._cells[at], values, self._shape[0] * self._shape[1]).reshape(self._shape)
        reach = max(REACH, 1 / self._std)
        grid = gaussian_filter(grid, self._std, mode="constant", truncate=reach) * (2 * np.pi * self._std**2)
        return np.asarray(map_coordinates(grid, self._places.T, order=1))

    def smoothed(self, first: np.ndarray) -> np.ndarray:
        """As ``_smooth``."""
        return np.asarray(self._sums(first) / self._of_all)

    def regressed(self, known: np.ndarray, right: np.ndarray) -> np.ndarray:
        """As ``_regress``; a point out of reach of all answers takes that of the nearest."""
        from scipy.spatial import cKDTree

        weights = 1 / np.sqrt(np.maximum(self._of_all[known] - 1, LEAST_DEGREE))
        total = self._sums(weights, known)
        near = total > 0
        scores = np.divide(self._sums(weights * right, known), total, out=np.zeros(len(near)), where=near)
        scores[~near] = right[cKDTree(self._x[known]).query(self._x[~near])[1]] if not near.all() else 0.0
        scores[known] = right
        return np.asarray(scores)


def _gaps_closed(values: np.ndarray, widest: float) -> np.ndarray:
    """The values moved to start at 0, with gaps wider than the kernel closed up: outliers cost no empty grid."""
    order = np.argsort(values, kind="stable")
    steps = np.minimum(np.diff(values[order], prepend=values[order[:1]]), widest)
    closed = np.empty(len(values))
    closed[order] = np.cumsum(steps)
    return closed


def _log_kernel(a: np.ndarray, b: np.ndarray, gamma: float) -> np.ndarray:
    """(m, n) -gamma |a_i - b_j|^2."""
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(a, b, "sqeuclidean") * -gamma)


def _chunks(n: int, width: int) -> Iterator[slice]:
    """Of n rows of this width, as many at once as are CHUNK_ENTRIES together."""
    step = max(1, CHUNK_ENTRIES // max(1, width))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))
