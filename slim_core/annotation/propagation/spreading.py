"""S5: from a few answers to a score for every image, the probability that the attention is right.

Label spreading at alpha -> 0 in closed form: kernel regression from the answered images, then kernel smoothing over
all images of the class. Everything runs in logarithms, so that an image far from every answer still gets the score of
the nearest ones, never 0/0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from slim_core.annotation.propagation.grid import Grid
from slim_core.annotation.propagation.kernel_sums import (
    chunks,
    is_by_series,
    log_degrees,
    log_sums,
    squared_distances,
)
from slim_core.errors import AnswersRefusedError
from slim_core.store.campaigns.values import COUNTED, RIGHT, UNSURE

GAMMAS = (10.0, 5.0)  # reference: class 0, class 1
GRID_ABOVE = 8_000  # images of a class; the exact smoothing is quadratic in time
ALPHA = 1e-6  # of label spreading: how much of an answered image's label may flow

Method = Literal["auto", "exact", "grid"]


def expand(
    points: np.ndarray,
    labels: np.ndarray,
    answers: np.ndarray,
    gammas: Sequence[float] = GAMMAS,
    method: Method = "auto",
) -> np.ndarray:
    """Propagate answers to every image, class by class (METHOD S5).

    Equals scikit-learn's ``LabelSpreading(kernel="rbf", gamma, alpha=1e-6)`` and its ``predict_proba`` of "right" on
    the class's points, centred and divided by one standard deviation, to 1e-8.

    Args:
        points: (N, 2) attention space E.
        labels: (N,) class of each image.
        answers: (N,) int, what each counts as: 1 right, 0 wrong (an empty map too), -1 unsure or not asked.
        gammas: kernel width of class 0, 1, ...; the last one also serves the classes after it.
        method: "exact" needs O(n^2) time (memory stays small), "grid" O(n); "auto" takes the grid above GRID_ABOVE
            images in the class.

    Returns:
        (N,) float64 scores in 0..1. A class whose answers all agree has that constant score. A class without any
        right or wrong answer is all NaN: nothing is known about it; ``curate`` decides what to do then.

    Raises:
        AnswersRefusedError: arrays of different lengths, or an answer other than 1, 0 and -1.
        SpecRefusedError: a kernel is too narrow for the grid.
    """
    check_answers(points, labels, answers)
    scores = np.full(len(labels), np.nan)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        scores[members] = expand_class(points[members], answers[members], gamma_of(label, gammas), method)
    return scores


def check_answers(points: np.ndarray, labels: np.ndarray, answers: np.ndarray) -> None:
    if not len(points) == len(labels) == len(answers):
        raise AnswersRefusedError(
            f"{len(answers)} answers do not fit {len(points)} points and {len(labels)} labels: they belong to another "
            f"attention space; choose the campaign of this one."
        )
    strange = np.setdiff1d(answers, COUNTED)
    if len(strange):
        raise AnswersRefusedError(f"An answer is {strange[0]}: use 1 (right), 0 (wrong) or -1 (unsure).")


def expand_class(points: np.ndarray, answers: np.ndarray, gamma: float, method: Method = "auto") -> np.ndarray:
    """The scores (n,) of one class's points (n, 2), given its answers (n,)."""
    known = np.flatnonzero(answers != UNSURE)
    if len(known) == 0:
        return np.full(len(points), np.nan)
    if len(np.unique(answers[known])) == 1:  # exact, and free of rounding
        return np.full(len(points), float(answers[known[0]]))
    x = standardise(points)
    first = _regress(x, known, answers[known], gamma)
    smoothed = Grid(x, gamma).smooth(first) if on_grid(len(points), method) else _smooth(x, first, gamma)
    return np.asarray(np.clip(smoothed, 0.0, 1.0))


def gamma_of(label: int, gammas: Sequence[float]) -> float:
    """The kernel width of a class; the last one also serves the classes after it."""
    return gammas[min(int(label), len(gammas) - 1)]


def on_grid(n: int, method: Method) -> bool:
    """True where a class of n images is smoothed on the grid."""
    return method == "grid" or (method == "auto" and n > GRID_ABOVE)


def standardise(points: np.ndarray) -> np.ndarray:
    """Points minus their mean, divided by one standard deviation over both axes: the aspect ratio stays."""
    points = np.asarray(points, np.float64)
    std = points.std()
    return np.asarray((points - points.mean()) / (std if std > 0 else 1.0))


def _regress(x: np.ndarray, known: np.ndarray, values: np.ndarray, gamma: float) -> np.ndarray:
    """F(1) of every point (n,): kernel regression from the answered points, each divided by the root of its degree."""
    log_root = 0.5 * log_degrees(x, known, gamma)  # (L,)
    right = values == RIGHT
    if is_by_series(x, len(known), gamma):
        sums = (log_sums(x, x[known[of]], -log_root[of], gamma) for of in (~right, right))
        scores = share_of_right(*sums)
    else:
        scores = _share_by_pairs(x, known, right, gamma, log_root)
    scores[known] = _answered(x[known], right, log_root, gamma)
    return scores


def share_of_right(log_wrong: np.ndarray, log_right: np.ndarray) -> np.ndarray:
    """(n,) the weight of the right answers as a share of that of all, from the logarithms of both."""
    from scipy.special import expit

    return np.asarray(expit(log_right - log_wrong))


def _share_by_pairs(
    x: np.ndarray, known: np.ndarray, right: np.ndarray, gamma: float, log_root: np.ndarray
) -> np.ndarray:
    scores = np.empty(len(x))
    for rows in chunks(len(x), len(known)):
        log_w = -gamma * squared_distances(x[rows], x[known]) - log_root
        log_w -= log_w.max(axis=1, keepdims=True)
        w = np.exp(log_w)
        scores[rows] = w[:, right].sum(axis=1) / w.sum(axis=1)
    return scores


def _answered(x: np.ndarray, right: np.ndarray, log_root: np.ndarray, gamma: float) -> np.ndarray:
    """F(1) of the answered points (L, 2): their own answer, and a millionth of what the others say."""
    scores = np.empty(len(x))
    for rows in chunks(len(x), len(x)):
        log_s = -gamma * squared_distances(x[rows], x) - log_root[rows, None] - log_root
        log_s[np.arange(len(log_s)), np.arange(rows.start, rows.stop)] = -np.inf
        s = np.exp(log_s)
        own = (1 - ALPHA) * right[rows] + ALPHA * s[:, right].sum(axis=1)
        scores[rows] = own / (1 - ALPHA + ALPHA * s.sum(axis=1))
    return scores


def _smooth(x: np.ndarray, first: np.ndarray, gamma: float) -> np.ndarray:
    """sum_m W_im F_m / sum_m W_im (n,), a block of rows at a time; W_ii = 1, so it never divides by 0."""
    scores = np.empty(len(x))
    for rows in chunks(len(x), len(x)):
        w = np.exp(-gamma * squared_distances(x[rows], x))
        scores[rows] = (w @ first) / w.sum(axis=1)
    return scores
