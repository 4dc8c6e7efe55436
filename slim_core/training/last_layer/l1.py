"""The last layer of the SLIM reference: l1 logistic regression, averaged over balanced draws (METHOD S10, after DFR).

Kirichenko, Izmailov, Wilson, "Last Layer Re-Training is Sufficient for Robustness to Spurious Correlations", ICLR 2023.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from slim_core.training.last_layer.refit import (
    Floats,
    Integers,
    Layer,
    PooledImages,
    Refit,
    RefitData,
    best_of,
    check_classes,
    scale,
    worst_and_average,
)

C_GRID = (1.0, 0.7, 0.5, 0.3, 0.1, 0.07, 0.05, 0.03, 0.01, 0.007, 0.003)  # inverse strengths of the l1 penalty
N_REFITS = 20

_N_TUNING_FITS = 3  # draws averaged while C is chosen
_MAX_ITER = 300


@dataclass(frozen=True, eq=False)
class Standardised:
    """Images to fit, each feature with mean 0 and standard deviation 1."""

    X: Floats  # (n, K)
    labels: np.ndarray  # (n,)
    counts: Floats  # (n,) how often each image counts
    cells: np.ndarray  # (n,) what a draw is balanced over: classes, groups, or class x environment
    n_classes: int

    def take(self, which: np.ndarray) -> Standardised:
        """Some of the images."""
        return Standardised(self.X[which], self.labels[which], self.counts[which], self.cells[which], self.n_classes)


def fit_balanced(data: RefitData, cells: np.ndarray, *, grid: Sequence[float], n_refits: int, seed: int) -> Layer:
    """The mean of refits on balanced draws, for pooled features as they are (the standardisation is folded in).

    Args:
        data: the images; the penalty is chosen by the worst class, or group where ``data.val`` has groups.
        cells: (n,) of the fitted images, what each draw is balanced over.
        grid: inverse penalties tried.
        n_refits: draws averaged at the end.
        seed: of draws and solver.

    Raises:
        SpecRefusedError: a class has no image.
    """
    check_classes(data)
    mean, std = scale(data.fitted.features)
    images = standardised(data.fitted, cells, data.n_classes, mean, std)
    to_fit, to_choose = data.parts(seed)
    X, part = (to_choose.features - mean) / std, images.take(to_fit)

    def score(C: float) -> tuple[float, float]:
        data.check_stop()
        return worst_and_average(mean_layer(part, C, _N_TUNING_FITS, seed).predict(X), to_choose)

    C = best_of(grid, score, "C")
    return mean_layer(images, C, n_refits, seed).folded(mean, std)


def standardised(images: PooledImages, cells: np.ndarray, n_classes: int, mean: Floats, std: Floats) -> Standardised:
    """The images with (features - mean) / std."""
    X = (np.asarray(images.features, np.float64) - mean) / std
    return Standardised(X, images.labels, images.times, cells, n_classes)


def mean_layer(images: Standardised, C: float, n_fits: int, seed: int) -> Layer:
    """The mean of layers fitted on balanced draws; draws that would be equal are fitted once.

    An image that counts k times is k images to draw from: else a class of a few images that are repeated until it is
    as large as the others would weigh more than these.
    """
    copies = np.repeat(np.arange(len(images.labels)), images.counts.astype(np.int64))
    labels, cells = images.labels[copies], images.cells[copies]
    sizes = np.unique(cells, return_counts=True)[1]
    n_draws = 1 if sizes.min() == sizes.max() else n_fits
    layers = []
    for draw in range(n_draws):
        drawn = copies[balanced_draw(labels, cells, np.random.default_rng([seed, draw]))]
        rows, times = np.unique(drawn, return_counts=True)
        layers.append(fit_l1(replace(images.take(rows), counts=times.astype(np.float64)), C, seed))
    return Layer(np.mean([layer.weight for layer in layers], 0), np.mean([layer.bias for layer in layers], 0))


def balanced_draw(labels: np.ndarray, cells: np.ndarray, rng: np.random.Generator) -> Integers:
    """Rows of a draw without replacement, ascending: each cell cut to the smallest.

    Cells lie inside classes. A class with fewer cells than another gives as many images in all, so far as it has them.
    """
    names, sizes = np.unique(cells, return_counts=True)
    owner = np.array([labels[cells == cell][0] for cell in names])
    n_cells = np.bincount(owner)  # of each class
    smallest, most = sizes.min(), n_cells.max()
    wanted = np.minimum(sizes, smallest * most // n_cells[owner])
    rows = [rng.choice(np.flatnonzero(cells == cell), n, replace=False) for cell, n in zip(names, wanted, strict=True)]
    return np.sort(np.concatenate(rows))


def fit_l1(images: Standardised, C: float, seed: int) -> Layer:
    """One classifier for two classes, else one against the rest a class."""
    if images.n_classes == 2:
        w, b = _fit_binary(images, 1, C, seed)
        return Layer(np.stack([-w / 2, w / 2]), np.array([-b / 2, b / 2]))  # softmax of these = sigmoid(w x + b)
    fits = [_fit_binary(images, c, C, seed) for c in range(images.n_classes)]
    return Layer(np.stack([w for w, _ in fits]), np.array([b for _, b in fits]))


def _fit_binary(images: Standardised, positive: int, C: float, seed: int) -> tuple[Floats, float]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    solver = LogisticRegression(**l1_penalty(), C=C, solver="liblinear", max_iter=_MAX_ITER, random_state=seed)
    with warnings.catch_warnings():  # an unfinished fit at a weak penalty loses to the others in the choice of C
        warnings.simplefilter("ignore", ConvergenceWarning)
        solver.fit(images.X, images.labels == positive, sample_weight=images.counts)
    return solver.coef_[0], float(solver.intercept_[0])


def l1_penalty() -> dict[str, Any]:
    """The l1 penalty as the installed scikit-learn names it, which renamed it in 1.8."""
    from sklearn.linear_model import LogisticRegression

    return {"l1_ratio": 1} if LogisticRegression().penalty == "deprecated" else {"penalty": "l1"}


class L1(Refit):
    """The mean of 20 refits on class-balanced draws; the penalty by the worst class of images that are not fitted."""

    label = "l1 logistic regression, balanced over classes"

    def fit(self, data: RefitData) -> Layer:
        """An image that counts several times is as many images."""
        return fit_balanced(data, data.fitted.labels, grid=C_GRID, n_refits=N_REFITS, seed=self.seed)
